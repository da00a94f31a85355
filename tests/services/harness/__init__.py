"""What the tests of key managers are written with. See tests/services/README.md."""

from harness.agent import Agent
from harness.case import ServiceCase
from harness.cloud_case import CloudCase, NewPolicyCase, UncachedCase
from harness.kmip_case import KmipCase
from harness.volume import Volume

__all__ = ["Agent", "CloudCase", "KmipCase", "NewPolicyCase", "ServiceCase", "UncachedCase", "Volume"]
