"""The agent's metrics, asked for over HTTP and judged by Prometheus' own promtool; the documents about them."""

import json
import os
import re
import socket
import urllib.error

from harness import CloudCase, ServiceCase
from servers.process import free_ports
from testkit.api import ApiError
from testkit.promtool import promtool, wrong_with_metrics

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs")
NAME = re.compile(r"\bvolcrypt_[a-z0-9_]+\b")
OF_A_HISTOGRAM = re.compile(r"_(bucket|sum|count)$")


def read(*path):
    with open(os.path.join(DOCS, *path), encoding="utf-8") as file:
        return file.read()


class Watched:
    """For the two cases below: an agent whose metrics are read."""

    def setUp(self):
        super().setUp()
        (self.port,) = free_ports(1)

    def watched(self, sections, **options):
        agent = self.agent(sections, metrics=self.port, **options)
        self.scrape = agent.metrics
        return agent

    def value(self, name, **labels):
        """Of one series; None when there is none."""
        wanted = {f'{label}="{value}"' for label, value in labels.items()}
        for line in self.scrape().splitlines():
            series, _, value = line.rpartition(" ")
            found, _, inside = series.partition("{")
            if found == name and wanted == set(filter(None, inside.rstrip("}").split(","))):
                return float(value)
        return None


class Scrapes(Watched, ServiceCase):
    def use(self, agent):
        """Something of everything; returns the words that may stand nowhere in the metrics."""
        key, volume = self.create_key(agent), self.volume()
        self.attach(agent, volume, key)
        self.attach(agent, volume, key)
        self.detach(agent, volume)
        self.attach_refused("KEY_NOT_FOUND", agent, self.volume(), "00000000-1111-4222-8333-444444444444")
        other = self.volume()
        self.attach_refused("KEY_REJECTED", agent, volume, self.create_key(agent))
        return {volume.volume_id, other.volume_id, key, volume.path, "00000000-1111-4222-8333-444444444444"}

    def test_promtool_finds_nothing_wrong(self):
        self.use(self.watched({}))
        self.assertEqual(wrong_with_metrics(self.scrape()), (0, []))

    def test_promtool_would_find_what_is_wrong(self):
        wrong = "# TYPE volcrypt_things counter\nvolcrypt_things 1\n"
        status, found = wrong_with_metrics(wrong)
        self.assertNotEqual(status, 0)
        self.assertIn("volcrypt_things", "\n".join(found))

    def test_what_was_done_is_counted(self):
        self.use(self.watched({}))
        operations, calls = "volcrypt_operations_total", "volcrypt_key_manager_calls_total"
        failed = {"code": "FAILED_PRECONDITION"}
        self.assertEqual(self.value(operations, verb="AttachVolume", code="OK", reason="OK"), 2)
        self.assertEqual(self.value(operations, verb="AttachVolume", reason="KEY_NOT_FOUND", **failed), 1)
        self.assertEqual(self.value(operations, verb="AttachVolume", reason="KEY_REJECTED", **failed), 1)
        self.assertEqual(self.value(operations, verb="DetachVolume", code="OK", reason="OK"), 1)
        self.assertEqual(self.value("volcrypt_operation_duration_seconds_count", verb="AttachVolume", code="OK"), 2)
        self.assertEqual(self.value("volcrypt_first_uses_total", key_manager="local"), 1)
        self.assertEqual(self.value(calls, key_manager="local", call="create", code="OK", reason="OK"), 2)
        self.assertEqual(self.value(calls, key_manager="local", call="get", reason="KEY_NOT_FOUND", **failed), 1)
        self.assertEqual(self.value("volcrypt_key_manager_up", key_manager="local"), 1)
        self.assertEqual(self.value("volcrypt_helper_up"), 1)
        self.assertEqual(self.value("volcrypt_workers_busy"), 0)
        self.assertEqual(self.value("volcrypt_workers_timed_out_total"), 0)

    def test_a_refusal_to_format_is_counted_by_its_reason(self):
        agent = self.watched({})
        key, volume = self.create_key(agent), self.volume()
        self.attach(agent, volume, key)
        self.detach(agent, volume)
        self.assertEqual(self.value("volcrypt_attach_refusals_total", reason="VOLUME_HEADER_LOST"), 0)
        volume.make_blank()
        self.attach_refused("VOLUME_HEADER_LOST", agent, volume, key)
        self.assertEqual(self.value("volcrypt_attach_refusals_total", reason="VOLUME_HEADER_LOST"), 1)
        self.assertEqual(self.value("volcrypt_first_uses_total", key_manager="local"), 1)

    def test_a_device_that_hangs_is_a_busy_worker_and_then_one_that_timed_out(self):
        agent = self.watched({})
        key, volume = self.create_key(agent), self.volume()
        volume.hold()
        call = self.start_attach(agent, volume, key, timeout=12)
        self.wait_until(volume.is_held)
        self.assertEqual(self.value("volcrypt_workers_busy"), 1)
        self.assertEqual(self.value("volcrypt_operations_running"), 1)
        with self.assertRaises(ApiError):
            agent.api.result(call)
        self.wait_until(lambda: self.value("volcrypt_workers_timed_out_total") == 1)
        self.assertEqual(self.value("volcrypt_workers_busy"), 0)

    def test_a_key_manager_without_records_is_told_from_one_that_denies_them(self):
        section = {"type": "conf", "fixed_key_file": self.file("fixed", "ab" * 32)}
        agent = self.watched({"fixed": section})
        volume = self.volume()
        self.attach(agent, volume, "00000000-0000-0000-0000-000000000000")
        failures = "volcrypt_first_use_record_failures_total"
        self.assertEqual(self.value(failures, key_manager="fixed", reason="NOT_HELD"), 1)
        self.assertEqual(self.value(failures, key_manager="fixed", reason="KEY_ACCESS_DENIED"), 0)
        self.assertEqual(self.value("volcrypt_first_uses_total", key_manager="fixed"), 1)

    def test_no_volume_key_or_path_becomes_a_label(self):
        for word in self.use(self.watched({})):
            self.assertNotIn(word, self.scrape())

    def test_nothing_else_is_served(self):
        self.watched({})
        for path in ("/", "/../etc/passwd", "/volcryptd.toml"):
            with self.assertRaises(urllib.error.HTTPError):
                self.scrape(path)

    def test_the_agent_ends_while_somebody_is_slow_to_ask(self):
        agent = self.watched({})
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.sendall(b"GET /metrics")
            agent.stop()

    def test_every_metric_is_documented_and_every_documented_one_is_there(self):
        agent = self.watched({"fixed": {"type": "conf", "fixed_key_file": self.file("fixed", "ab" * 32)}})
        self.attach(agent, self.volume(), "00000000-0000-0000-0000-000000000000")
        shown = set(re.findall(r"^# TYPE (volcrypt_\S+)", self.scrape(), re.MULTILINE))
        documented = set(re.findall(r"^\| `(volcrypt_[a-z_]+)", read("metrics.md"), re.MULTILINE))
        self.assertEqual(shown, documented)


class OfBarbican(Watched, CloudCase):
    def test_a_record_that_may_not_be_written_is_counted(self):
        agent = self.watched({"barbican": self.section("stranger")})
        nova = self.user("nova")
        secret = nova.secret(os.urandom(32))
        nova.set_acl(secret, ["stranger"])
        self.attach(agent, self.volume(), secret)
        failures = "volcrypt_first_use_record_failures_total"
        self.assertEqual(self.value(failures, key_manager="barbican", reason="KEY_ACCESS_DENIED"), 1)
        self.assertEqual(self.value("volcrypt_first_uses_total", key_manager="barbican"), 1)
        denied = {"code": "FAILED_PRECONDITION", "reason": "KEY_ACCESS_DENIED"}
        calls = "volcrypt_key_manager_calls_total"
        self.assertEqual(self.value(calls, key_manager="barbican", call="claim_first_use", **denied), 1)

    def test_a_barbican_that_is_away_is_seen_to_be(self):
        agent = self.watched({"barbican": self.section("nova")})
        secret = self.user("nova").secret(os.urandom(32))
        self.attach(agent, self.volume(), secret)
        self.assertEqual(self.value("volcrypt_key_manager_up", key_manager="barbican"), 1)
        self.cloud.barbican.process.kill()
        self.attach_refused("KEY_MANAGER_UNAVAILABLE", agent, self.volume(), secret)
        self.assertEqual(self.value("volcrypt_key_manager_up", key_manager="barbican"), 0)


class Documents(ServiceCase):
    def assert_documented(self, text):
        documented = set(NAME.findall(read("metrics.md")))
        names = {OF_A_HISTOGRAM.sub("", name) for name in NAME.findall(text)}
        self.assertTrue(names)
        self.assertEqual(names - documented, set())

    def test_the_alert_rules_load(self):
        status, found = promtool("check", "rules", os.path.join(DOCS, "alerts.yml"))
        self.assertEqual(status, 0, found)
        self.assert_documented(read("alerts.yml"))

    def test_every_alert_is_explained(self):
        alerts = re.findall(r"alert: (\w+)", read("alerts.yml"))
        self.assertTrue(alerts)
        explained = read("metrics.md")
        self.assertEqual([alert for alert in alerts if f"| `{alert}`" not in explained], [])

    def test_the_dashboard_shows_metrics_that_there_are(self):
        dashboard = json.loads(read("grafana", "volcrypt.json"))
        self.assertTrue(dashboard["panels"])
        queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
        self.assert_documented("\n".join(queries))

    def test_every_query_of_the_dashboard_is_one_that_prometheus_understands(self):
        dashboard = json.loads(read("grafana", "volcrypt.json"))
        queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
        rules = "groups:\n- name: dashboard\n  rules:\n"
        for index, query in enumerate(queries):
            plain = query.replace("$__rate_interval", "5m").replace("$instance", ".*")
            rules += f"  - record: query:{index}\n    expr: {json.dumps(plain)}\n"
        status, found = promtool("check", "rules", self.file("rules.yml", rules))
        self.assertEqual(status, 0, found)
