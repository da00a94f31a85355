"""What node tests are written with. See tests/node/README.md."""

from harness.agent import Agent
from harness.case import NodeCase
from harness.ctl import Ctl, Result
from harness.devices import BlockDevice, Device, DmDevice, FileVolume, mapping_path
from testkit.waiting import wait_until

__all__ = ["Agent", "BlockDevice", "Ctl", "Device", "DmDevice", "FileVolume", "NodeCase", "Result", "mapping_path", "wait_until"]
