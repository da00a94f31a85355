"""The gRPC API from Python, without the cost of a process per call, which is half a second on the node."""

import atexit
import functools
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

import grpc
from google.protobuf import json_format

_SERVICES = {
    "VolumeEncryptorService": "volume_encryptor",
    "VolumeAdminService": "volume_admin",
    "KeyService": "key",
    "AgentService": "agent",
}


@functools.cache
def _generate():
    """The message classes of proto/, by protoc; once a run."""
    source = os.path.join(os.path.dirname(__file__), "../../proto")
    generated = tempfile.mkdtemp(prefix="volcrypt-test-api-")
    atexit.register(shutil.rmtree, generated, ignore_errors=True)
    protos = [f"volcrypt/v1/{name}.proto" for name in _SERVICES.values()] + ["google_rpc/error_details.proto"]
    subprocess.run(["protoc", f"--proto_path={source}", f"--python_out={generated}", *protos], check=True)
    sys.path.insert(0, generated)
    importlib.import_module("google_rpc.error_details_pb2")  # now, while the caller is a user that may read it


def messages(name):
    """The generated module of volcrypt/v1/NAME.proto: messages("volume_encryptor").AttachVolumeRequest(...)."""
    _generate()
    return importlib.import_module(f"volcrypt.v1.{name}_pb2")


def as_json(response):
    """A response as volcryptctl -o json prints it."""
    fields = json_format.MessageToDict(response, including_default_value_fields=True, preserving_proto_field_name=True)
    return {"schema": "volcrypt/v1", **fields}


class ApiError(Exception):
    """A call that failed: .code (a name), .reason, .metadata, .message."""

    def __init__(self, error):
        super().__init__(f"{error.code().name}: {error.details()}")
        self.code, self.message, self.reason, self.metadata = error.code().name, error.details(), "", {}
        details = importlib.import_module("google_rpc.error_details_pb2")
        for name, value in error.trailing_metadata() or ():
            if name == "grpc-status-details-bin":
                for detail in details.Status.FromString(value).details:
                    info = details.ErrorInfo()
                    if detail.Unpack(info):
                        self.reason, self.metadata = info.reason, dict(info.metadata)


# What a caller who keeps to the table of errors repeats.
RETRIED = ("UNAVAILABLE", "ABORTED", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED")


def until_it_succeeds(api, method, **fields):
    """As such a caller calls, for a minute."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return api(method, **fields)
        except ApiError as error:
            if error.code not in RETRIED or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def outcome_of(api, method, **fields):
    """("OK", ""), or the code and the reason of the error."""
    try:
        api(method, **fields)
        return "OK", ""
    except ApiError as error:
        return error.code, error.reason


class Api:
    """Api("unix:PATH")("AttachVolume", volume_id=..., device=..., timeout=30) calls the RPC and returns its response.

    .start(...) returns a future: .result() as above. .methods: the names of all. One Api serves many threads and many
    calls at once. `credentials`: of a channel with TLS.
    """

    def __init__(self, endpoint, credentials=None):
        _generate()
        # Of its own: what is shared with other channels would wait before it tries again.
        options = [("grpc.use_local_subchannel_pool", 1)]
        if credentials is None:
            self.channel = grpc.insecure_channel(endpoint, options=options)
        else:
            self.channel = grpc.secure_channel(endpoint, credentials, options=options)
        self._methods = {}
        for service, name in _SERVICES.items():
            module = messages(name)
            for method in module.DESCRIPTOR.services_by_name[service].methods:
                request, response = (getattr(messages(self._file_of(t)), t.name) for t in (method.input_type, method.output_type))
                self._methods[method.name] = (request, self.channel.unary_unary(
                    f"/volcrypt.v1.{service}/{method.name}",
                    request_serializer=request.SerializeToString,
                    response_deserializer=response.FromString,
                ))

    def __call__(self, method, timeout=60, metadata=(), **fields):
        return self.result(self.start(method, timeout, metadata, **fields))

    @property
    def methods(self):
        return set(self._methods)

    def start(self, method, timeout=60, metadata=(), **fields):
        request, call = self._methods[method]
        return call.future(request(**fields), timeout=timeout, metadata=metadata)

    @staticmethod
    def result(future):
        try:
            return future.result()
        except grpc.RpcError as error:
            raise ApiError(error) from None

    def close(self):
        self.channel.close()

    @staticmethod
    def _file_of(message):
        return os.path.basename(message.file.name).removesuffix(".proto")
