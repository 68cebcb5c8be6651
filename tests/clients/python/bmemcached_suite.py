"""All functions of python-binary-memcached: the binary protocol over TCP, TLS and Unix sockets, with SASL if
SASL_USER is set."""

import importlib.metadata
import os
import threading
import time
import unittest

import bmemcached
import common


def make(servers=(common.SERVER,), kind=bmemcached.Client, **options):
    return kind(tuple(servers), **{"username": common.USER, "password": common.PASSWORD, "socket_timeout": 10,
                                   "tls_context": common.tls_context(), **options})


class Client(unittest.TestCase):
    """One server."""

    def setUp(self):
        self.client = make()
        self.addCleanup(self.client.disconnect_all)
        self.client.flush_all()

    def test_set_get(self):
        self.assertIs(self.client.set("k", "value"), True)
        self.assertEqual(self.client.get("k"), "value")
        self.assertIsNone(self.client.get("missing"))
        self.assertEqual(self.client.get("missing", "default"), "default")

    def test_types(self):
        for value in ("text", b"bytes", 7, 1 << 70, 2.5, True, {"a": [1, (2,)]}, "☃" * 100, ""):
            self.client.set("k", value)
            self.assertEqual(self.client.get("k"), value)

    def test_add(self):
        self.assertIs(self.client.add("k", "1"), True)
        self.assertIs(self.client.add("k", "2"), False)
        self.assertEqual(self.client.get("k"), "1")

    def test_replace(self):
        self.assertIs(self.client.replace("k", "1"), False)
        self.client.set("k", "1")
        self.assertIs(self.client.replace("k", "2"), True)
        self.assertEqual(self.client.get("k"), "2")

    def test_cas(self):
        self.assertEqual(self.client.gets("k"), (None, None))
        self.assertIs(self.client.cas("k", "1", 1), False)
        self.client.set("k", "1")
        value, unique = self.client.gets("k")
        self.assertEqual(value, "1")
        self.assertIs(self.client.cas("k", "2", unique + 1), False)
        self.assertIs(self.client.cas("k", "2", unique), True)
        self.assertEqual(self.client.get("k", get_cas=True)[0], "2")

    def test_cas_of_every_answer(self):
        success, unique = self.client.set("k", "1", get_cas=True)
        self.assertIs(success, True)
        self.assertEqual(self.client.gets("k"), ("1", unique))
        success, unique = self.client.replace("k", "2", get_cas=True)
        self.assertEqual(self.client.gets("k"), ("2", unique))

    def test_delete(self):
        # The client reports a missing key as deleted.
        self.assertIs(self.client.delete("k"), True)
        self.client.set("k", "1")
        unique = self.client.gets("k")[1]
        self.assertIs(self.client.delete("k", cas=unique + 1), False)
        self.assertIs(self.client.delete("k", cas=unique), True)
        self.assertIsNone(self.client.get("k"))

    def test_set_multi(self):
        values = {f"key{i}": i for i in range(300)}
        self.assertEqual(self.client.set_multi(values), [])
        self.assertEqual(self.client.get_multi([*values, "missing"]), values)

    def test_get_multi_cas(self):
        self.client.set_multi({"a": 1, "b": 2})
        found = self.client.get_multi(["a", "b", "none"], get_cas=True)
        self.assertEqual({key: value for key, (value, _) in found.items()}, {"a": 1, "b": 2})
        self.assertEqual(found["a"], self.client.gets("a"))

    def test_set_multi_cas(self):
        self.client.set_multi({"a": 1, "b": 2})
        unique = self.client.gets("a")[1]
        results = self.client.set_multi_cas({("a", unique): 3, ("b", unique): 4})
        self.assertEqual(results, {"a": self.client.gets("a")[1], "b": None})
        self.assertEqual(self.client.get_multi(["a", "b"]), {"a": 3, "b": 2})

    def test_delete_multi(self):
        self.client.set_multi({"a": 1, "b": 2, "c": 3})
        self.assertIs(self.client.delete_multi(["a", "b"]), True)
        self.assertIs(self.client.delete_multi(["b", "none"]), False)
        self.assertEqual(self.client.get_multi(["a", "b", "c"]), {"c": 3})

    def test_incr(self):
        self.assertEqual(self.client.incr("n", 5), 0)
        self.assertEqual(self.client.incr("n", 5), 5)
        self.assertEqual(self.client.incr("n", 37), 42)
        self.assertEqual(self.client.incr("other", 1, default=10), 10)

    def test_decr(self):
        self.assertEqual(self.client.decr("n", 5, default=10), 10)
        self.assertEqual(self.client.decr("n", 4), 6)
        self.assertEqual(self.client.decr("n", 100), 0)

    def test_incr_of_words(self):
        self.client.set("n", "words")
        with self.assertRaises(bmemcached.exceptions.MemcachedException):
            self.client.incr("n", 1)
        self.assertEqual(self.client.get("n"), "words")

    def test_expiry(self):
        self.client.set("soon", "1", time=1)
        self.client.set("later", "1", time=1000)
        self.client.set("absolute", "1", time=int(time.time()) + 1000)
        time.sleep(2.2)
        self.assertEqual(set(self.client.get_multi(["soon", "later", "absolute"])), {"later", "absolute"})

    def test_keys(self):
        for key in ("a", "k" * 250, "with space", "käse-☃", "line\r\nfeed", "nul\0"):
            self.assertIs(self.client.set(key, key), True)
            self.assertEqual(self.client.get(key), key)
        self.assertEqual(self.client.get_multi(["käse-☃", "nul\0"]), {"käse-☃": "käse-☃", "nul\0": "nul\0"})

    def test_large_values(self):
        for size in (1, 1023, 65_536, 500_000, 1_048_376):
            value = os.urandom(size)
            self.assertIs(self.client.set("large", value), True)
            self.assertEqual(self.client.get("large"), value)

    def test_too_large(self):
        with self.assertRaises(bmemcached.exceptions.MemcachedException):
            self.client.set("large", os.urandom(1_048_576))
        self.assertIs(self.client.set("k", "still there"), True)
        self.assertEqual(self.client.get("k"), "still there")

    def test_compression(self):
        text = "compress me " * 10_000
        self.assertIs(self.client.set("k", text, compress_level=9), True)
        self.assertEqual(self.client.get("k"), text)

    def test_raw(self):
        client = make(raw_data=True)
        self.addCleanup(client.disconnect_all)
        self.client.set("k", 7)
        self.assertEqual(client.get("k"), b"7")
        self.assertIs(client.set("k", b"\0\r\n"), True)
        self.assertEqual(client.get("k"), b"\0\r\n")

    def test_stats(self):
        (stats,) = self.client.stats().values()
        self.assertGreater(int(stats["pid"]), 0)
        self.assertIn("cmd_get", stats)
        (settings,) = self.client.stats("settings").values()
        self.assertEqual(settings["cas_enabled"], b"yes")

    def test_flush(self):
        self.client.set("k", "1")
        self.assertIs(self.client.flush_all(100), True)
        self.assertEqual(self.client.get("k"), "1")
        self.assertIs(self.client.flush_all(), True)
        self.assertIsNone(self.client.get("k"))

    def test_reconnect(self):
        self.client.set("k", "1")
        self.client.disconnect_all()
        self.assertEqual(self.client.get("k"), "1")

    def test_threads(self):
        wrong = []

        def work(number):
            client = make()
            for turn in range(50):
                client.set(f"t{number}", turn)
                if client.get(f"t{number}") != turn:
                    wrong.append(number)
            client.disconnect_all()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


class Others(unittest.TestCase):
    """More than one server."""

    def test_distributed(self):
        client = make((common.SERVER, *common.FURTHER), bmemcached.DistributedClient)
        client.flush_all()
        values = {f"spread{i}": i for i in range(300)}
        self.assertEqual(client.set_multi(values), [])
        self.assertEqual(client.get_multi(list(values)), values)
        held = [len(make((one,)).get_multi(list(values))) for one in (common.SERVER, *common.FURTHER)]
        self.assertEqual(sum(held), 300)
        self.assertTrue(all(held), held)
        client.disconnect_all()

    def test_replicating(self):
        client = make((common.SERVER, *common.FURTHER), bmemcached.ReplicatingClient)
        client.flush_all()
        self.assertIs(client.set("everywhere", "1"), True)
        for one in (common.SERVER, *common.FURTHER):
            self.assertEqual(make((one,)).get("everywhere"), "1")
        client.disconnect_all()


if common.USER:

    class Strangers(unittest.TestCase):
        """Requests before a login."""

        def test_a_wrong_password(self):
            for options in ({"password": "wrong"}, {"username": "nobody"}):
                with self.assertRaisesRegex(bmemcached.exceptions.MemcachedException, "(?i)auth failure"):
                    make(**options).get("k")

        def test_no_login(self):
            stranger = make(username=None, password=None)
            with self.assertRaises(bmemcached.exceptions.MemcachedException):
                stranger.set("k", "1")


if __name__ == "__main__":
    common.main(importlib.metadata.version("python-binary-memcached"))
