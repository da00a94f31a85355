// Precompiled for what speaks gRPC: see absl.h.
#include <grpcpp/grpcpp.h>

#include "pch/absl.h"
#include "volcrypt/v1/key.pb.h"
#include "volcrypt/v1/volume_encryptor.pb.h"
