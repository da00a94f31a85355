"""Many operations at once: on many volumes, and on one."""

import grpc

from harness import NodeCase, mapping_path
from harness.agent import CONFIG
from harness.devices import run
from testkit.api import ApiError

MANY = 32
SECONDS = 300  # for all of them together: on a busy machine one first use has been seen to take three


class Many(NodeCase):
    def setUp(self):
        self.addCleanup(self.agent.restart)
        self.addCleanup(self.agent.configure, CONFIG)
        self.agent.configure(CONFIG + f'[server]\noperation_timeout = "{SECONDS}s"\n')
        self.agent.restart()
        super().setUp()

    def test_volumes_attach_and_detach_at_the_same_time(self):
        key = {"key_id": self.key()}
        devices = {self.volume_id(): self.device(mib=4).path for _ in range(MANY)}
        calls = [self.api.start("AttachVolume", timeout=SECONDS, volume_id=v, device=d, key=key) for v, d in devices.items()]
        answers = [self.api.result(call) for call in calls]
        self.assertTrue(all(answer.formatted for answer in answers))
        self.assertEqual({a.attachment.volume_id: a.attachment.device for a in answers}, devices)
        self.assertEqual(len({answer.attachment.luks_uuid for answer in answers}), MANY)

        self.check_pages(sorted(devices))
        calls = [self.api.start("DetachVolume", timeout=SECONDS, volume_id=volume) for volume in devices]
        self.assertTrue(all(self.api.result(call).was_attached for call in calls))
        self.assertEqual(len(self.api("ListAttachments").attachments), 0)

    def check_pages(self, volumes):
        whole = self.api("ListAttachments")
        self.assertEqual([attachment.volume_id for attachment in whole.attachments], volumes)
        self.assertEqual(whole.next_page_token, "")
        seen, sizes, token = [], [], ""
        while True:
            page = self.api("ListAttachments", page_size=10, page_token=token)
            seen += [attachment.volume_id for attachment in page.attachments]
            sizes.append(len(page.attachments))
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(seen, volumes)
        self.assertEqual(sizes, [10, 10, 10, 2])
        self.assertEqual(self.ok("list")["attachments"][-1]["volume_id"], volumes[-1])
        self.api_refused("INVALID_FIELD", "ListAttachments", page_token="nonsense")

    def test_one_volume_is_formatted_once(self):
        key, volume, device = {"key_id": self.key()}, self.volume_id(), self.device(mib=8)
        fields = {"volume_id": volume, "device": device.path, "key": key}
        calls = [self.api.start("AttachVolume", timeout=SECONDS, **fields) for _ in range(MANY)]
        formatted, already, refusals = 0, 0, []
        for call in calls:
            try:
                answer = self.api.result(call)
                formatted += answer.formatted
                already += answer.already_attached
            except ApiError as error:
                self.assertEqual(error.code, grpc.StatusCode.ABORTED.name)
                refusals.append(error.reason)
        self.assertEqual(formatted, 1)
        self.assertEqual(formatted + already + len(refusals), MANY)
        self.assertEqual(set(refusals) - {"OPERATION_IN_PROGRESS"}, set())
        self.assertTrue(self.api("AttachVolume", **fields).already_attached)
        self.assertIn("Keyslots:\n  0:", run("cryptsetup", "luksDump", device.path))
        with open(mapping_path(volume), "rb") as mapping:
            self.assertEqual(len(mapping.read(512)), 512)

    def test_one_device_becomes_one_volume(self):
        fields = {"device": self.device(mib=8).path, "key": {"key_id": self.key()}}
        calls = [self.api.start("AttachVolume", timeout=SECONDS, volume_id=self.volume_id(), **fields) for _ in range(8)]
        answers, refusals = [], []
        for call in calls:
            try:
                answers.append(self.api.result(call))
            except ApiError as error:
                refusals.append(error.reason)
        self.assertEqual([answer.formatted for answer in answers], [True])
        self.assertEqual(set(refusals), {"DEVICE_IN_USE"})
