"""Attaches a volume, prints its device and detaches it: attach.py SOCKET VOLUME_ID DEVICE KEY_ID"""
import sys

import grpc
from google_rpc.error_details_pb2 import ErrorInfo, Status
from volcrypt.v1 import volume_encryptor_pb2 as v1
from volcrypt.v1.volume_encryptor_pb2_grpc import VolumeEncryptorServiceStub


def reason_of(error):
    status = Status.FromString(dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b""))
    info = ErrorInfo()
    found = any(detail.Unpack(info) for detail in status.details)
    return info.reason if found else error.code().name


socket, volume_id, device, key_id = sys.argv[1:]
with grpc.insecure_channel(f"unix:{socket}") as channel:
    agent = VolumeEncryptorServiceStub(channel)
    attach = v1.AttachVolumeRequest(volume_id=volume_id, device=device, key=v1.KeyReference(key_id=key_id))
    try:
        print(agent.AttachVolume(attach, timeout=60).attachment.device_path)
        agent.DetachVolume(v1.DetachVolumeRequest(volume_id=volume_id), timeout=60)
    except grpc.RpcError as error:
        sys.exit(f"{reason_of(error)}: {error.details()}")
