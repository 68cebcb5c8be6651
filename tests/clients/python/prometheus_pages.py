"""Prometheus' Python parsers over `/metrics`, and JSON's over `/stats.json`, of a server with known items.

SERVER is the address of the cache, PAGES that of its pages over HTTP.
"""

import http.client
import json
import os
import socket
import unittest
from importlib import metadata
from urllib.request import Request, urlopen

from common import SERVER, address, main
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

PAGES = os.environ["PAGES"]
KEY, VALUE = "secret-key", "secret-value"


def page(path, accept=None):
    """Content type and text of a page."""
    request = Request(f"http://{PAGES}{path}", headers={"Accept": accept} if accept else {})
    with urlopen(request, timeout=30) as response:
        return response.headers["Content-Type"], response.read().decode()


def families(text, content_type):
    parse = openmetrics_parser if "openmetrics" in content_type else parser
    found = list(parse.text_string_to_metric_families(text))
    names = [family.name for family in found]
    assert len(names) == len(set(names)), "a family comes twice"
    return {family.name: family for family in found}


def samples(found):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in found.values()
        for sample in family.samples
    }


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with socket.create_connection(address(SERVER)) as client:
            requests = "".join(
                f"set {KEY}-{number} 0 0 {len(VALUE) * number}\r\n{VALUE * number}\r\n" for number in range(1, 101)
            )
            client.sendall(f"{requests}get {KEY}-1 none\r\nincr none 1\r\nquit\r\n".encode())
            while client.recv(65536):
                pass

    def check_numbers(self, found):
        values = samples(found)
        for name, labels, value in [
            ("memcached_up", {}, 1),
            ("memcached_version", {"version": "1.6.45"}, 1),
            ("memcached_current_items", {}, 100),
            ("memcached_items_total", {}, 100),
            ("memcached_commands_total", {"command": "set", "status": "hit"}, 100),
            ("memcached_commands_total", {"command": "get", "status": "hit"}, 1),
            ("memcached_commands_total", {"command": "get", "status": "miss"}, 1),
            ("memcached_commands_total", {"command": "incr", "status": "miss"}, 1),
            ("memcached_lru_crawler_enabled", {}, 1),
            ("wasmcached_shard_traps_total", {}, 0),
        ]:
            self.assertEqual(values[name, tuple(sorted(labels.items()))], value, name)
        items = [value for (name, _), value in values.items() if name == "memcached_slab_current_items"]
        self.assertEqual(sum(items), 100)
        self.assertGreater(len(items), 10)
        limit = values["memcached_limit_bytes", ()]
        self.assertEqual(limit, 64 * 1024 * 1024)
        self.assertLess(values["memcached_current_bytes", ()], limit)

    def test_openmetrics(self):
        content_type, text = page("/metrics", "application/openmetrics-text;version=1.0.0")
        self.assertEqual(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.assertTrue(text.endswith("\n# EOF\n"))
        found = families(text, content_type)
        self.check_numbers(found)
        for name, family in found.items():
            self.assertTrue(family.documentation.endswith("."), name)
            self.assertTrue(name.endswith(family.unit), name)
        self.assertEqual(found["memcached_process_user_cpu_seconds"].unit, "seconds")
        self.assertEqual(found["wasmcached_build"].type, "info")

    def test_text_of_prometheus(self):
        content_type, text = page("/metrics", "text/plain;version=0.0.4")
        self.assertEqual(content_type, "text/plain; version=0.0.4; charset=utf-8")
        self.assertNotIn("# EOF", text)
        found = families(text, content_type)
        self.check_numbers(found)
        of_openmetrics = families(*reversed(page("/metrics")))
        only = {name for name in found.keys() ^ of_openmetrics.keys()}
        # The name of an info family is that of its sample in the older text.
        self.assertEqual(only, {"wasmcached_build", "wasmcached_build_info"})

    def test_json(self):
        content_type, text = page("/stats.json")
        self.assertEqual(content_type, "application/json")
        stats = json.loads(text)
        self.assertEqual(set(stats), {"version", "server", "statistics", "classes"})
        self.assertEqual(stats["version"], 1)
        for name, statistic in stats["statistics"].items():
            self.assertEqual(set(statistic), {"value", "kind", "unit", "help"}, name)
            self.assertIn(statistic["kind"], {"counter", "gauge", "text"}, name)
            self.assertIn(statistic["unit"], {"", "bits", "bytes", "seconds"}, name)
            self.assertEqual(isinstance(statistic["value"], str), statistic["kind"] == "text", name)
        for name, statistic in stats["classes"].items():
            self.assertEqual(set(statistic), {"values", "kind", "unit", "help"}, name)
        self.assertEqual(stats["statistics"]["curr_items"]["value"], 100)
        self.assertEqual(sum(stats["classes"]["number"]["values"].values()), 100)

    def test_json_has_the_statistics_of_the_text_protocol(self):
        with socket.create_connection(address(SERVER)) as client:
            client.sendall(b"stats\r\nquit\r\n")
            text = b"".join(iter(lambda: client.recv(65536), b"")).decode()
        of_text = [line.split(" ")[1] for line in text.splitlines() if line.startswith("STAT ")]
        self.assertEqual(list(json.loads(page("/stats.json")[1])["statistics"]), of_text)

    def test_no_key_and_no_value(self):
        for path in ["/metrics", "/stats.json", "/healthz", "/healthz/live"]:
            self.assertNotIn("secret", page(path)[1], path)

    def test_one_connection_for_many_pages(self):
        host, port = PAGES.rsplit(":", 1)
        client = http.client.HTTPConnection(host, int(port), timeout=30)
        for path in ["/metrics", "/healthz", "/none", "/stats.json"] * 5:
            client.request("GET", path)
            response = client.getresponse()
            self.assertEqual(response.status, 404 if path == "/none" else 200)
            self.assertFalse(response.will_close)
            response.read()
        client.request("HEAD", "/metrics")
        self.assertEqual(client.getresponse().read(), b"")
        client.request("POST", "/metrics", body=b"x")
        response = client.getresponse()
        self.assertEqual((response.status, response.headers["Allow"], response.will_close), (405, "GET, HEAD", True))


if __name__ == "__main__":
    main(metadata.version("prometheus_client"))
