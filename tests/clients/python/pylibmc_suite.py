"""All functions of pylibmc (libmemcached) over the text protocol, or the binary protocol if BINARY is set."""

import os
import threading
import time
import unittest

import common
import pylibmc
from common import FURTHER, SERVER

BINARY = "BINARY" in os.environ
LOGIN = {"username": common.USER, "password": common.PASSWORD} if common.USER else {}


def text(value):
    """Names and values of statistics are bytes or text, depending on pylibmc's version."""
    return value.decode() if isinstance(value, bytes) else value


class Basic(unittest.TestCase):
    """One client, every command and behaviour."""

    def make(self, **behaviors):
        return pylibmc.Client([SERVER], binary=BINARY, **LOGIN, behaviors={"tcp_nodelay": True, **behaviors})

    def setUp(self):
        self.client = self.make(cas=True)
        self.client.flush_all()

    def test_set_get(self):
        for value in ("text", b"bytes", 7, 1 << 40, True, {"a": [1]}, None, 2.5, "", b"", "☃" * 100):
            self.assertIs(self.client.set("k", value), True)
            self.assertEqual(self.client.get("k"), value)
        self.assertIsNone(self.client.get("missing"))
        self.assertEqual(self.client.get("missing", "default"), "default")

    def test_add_replace(self):
        if BINARY:
            with self.assertRaises(pylibmc.NotFound):
                self.client.replace("k", "1")
        else:
            self.assertIs(self.client.replace("k", "1"), False)
        self.assertIs(self.client.add("k", "1"), True)
        self.assertIs(self.client.add("k", "2"), False)
        self.assertIs(self.client.replace("k", "3"), True)
        self.assertEqual(self.client.get("k"), "3")

    def test_append_prepend(self):
        self.assertFalse(self.client.append("k", "x"))
        self.assertFalse(self.client.prepend("k", "x"))
        self.client.set("k", "middle")
        self.assertIs(self.client.append("k", "-end"), True)
        self.assertIs(self.client.prepend("k", "begin-"), True)
        self.assertEqual(self.client.get("k"), "begin-middle-end")

    def test_cas(self):
        self.client.set("k", "1")
        value, unique = self.client.gets("k")
        self.assertEqual(value, "1")
        self.assertIs(self.client.cas("k", "2", unique), True)
        self.assertIs(self.client.cas("k", "3", unique), False)
        self.assertEqual(self.client.get("k"), "2")
        with self.assertRaises(pylibmc.NotFound):
            self.client.cas("missing", "3", unique)
        self.assertEqual(self.client.gets("missing"), (None, None))

    def test_multi(self):
        values = {f"key{i}": i for i in range(500)}
        self.assertEqual(self.client.set_multi(values), [])
        self.assertEqual(self.client.get_multi(list(values)), values)
        self.assertEqual(self.client.get_multi(["key1", "none", "key2"]), {"key1": 1, "key2": 2})
        self.assertEqual(self.client.add_multi({"key1": 0, "new": 1}), ["key1"])
        self.assertIs(self.client.incr_multi(["key1", "key2"], delta=10) is None, True)
        self.assertEqual(self.client.get_multi(["key1", "key2"]), {"key1": 11, "key2": 12})
        self.assertIs(self.client.delete_multi(list(values)), True)
        self.assertEqual(self.client.get_multi(list(values)), {})
        self.assertEqual(self.client.set_multi({"a": 1, "b": 2}, key_prefix="pre:"), [])
        self.assertEqual(self.client.get_multi(["a", "b"], key_prefix="pre:"), {"a": 1, "b": 2})
        self.assertEqual(self.client.get("pre:a"), 1)

    def test_delete(self):
        self.assertIs(self.client.delete("k"), False)
        self.client.set("k", "1")
        self.assertIs(self.client.delete("k"), True)
        self.assertIsNone(self.client.get("k"))

    def test_incr_decr(self):
        with self.assertRaises(pylibmc.NotFound):
            self.client.incr("n")
        self.client.set("n", 10)
        self.assertEqual(self.client.incr("n"), 11)
        self.assertEqual(self.client.incr("n", 10), 21)
        self.assertEqual(self.client.decr("n", 20), 1)
        self.assertEqual(self.client.decr("n", 20), 0)
        self.client.set("n", "words")
        with self.assertRaises(pylibmc.Error):
            self.client.incr("n")
        # Over the binary protocol the client closes the connection on such an error.
        self.assertEqual(self.make().get("n"), "words")

    def test_touch(self):
        self.client.set("k", "1")
        self.assertIs(self.client.touch("k", 100), True)
        self.assertEqual(self.client.get("k"), "1")
        self.assertFalse(self.client.touch("missing", 100))

    def test_expiry(self):
        self.client.set("soon", "1", time=1)
        self.client.set("later", "1", time=1000)
        self.client.set("absolute", "1", time=int(time.time()) + 1000)
        time.sleep(2.2)
        self.assertIsNone(self.client.get("soon"))
        self.assertEqual(self.client.get_multi(["later", "absolute"]), {"later": "1", "absolute": "1"})

    def test_mapping(self):
        self.client["k"] = "1"
        self.assertIn("k", self.client)
        self.assertEqual(self.client["k"], "1")
        del self.client["k"]
        self.assertNotIn("k", self.client)
        with self.assertRaises(KeyError):
            self.client["k"]

    def test_compression(self):
        client = self.make()
        text = "compress me " * 10_000
        self.assertIs(client.set("compressed", text, min_compress_len=100), True)
        self.assertEqual(client.get("compressed"), text)
        self.assertEqual(client.set_multi({"c1": text, "c2": "short"}, min_compress_len=100), [])
        self.assertEqual(client.get_multi(["c1", "c2"]), {"c1": text, "c2": "short"})

    def test_large_values(self):
        for size in (1, 4096, 100_000, 1_048_376):
            value = os.urandom(size)
            self.assertIs(self.client.set("large", value), True, size)
            self.assertEqual(self.client.get("large"), value, size)
        with self.assertRaises(pylibmc.Error):
            self.client.set("large", os.urandom(1_048_576))
        self.assertIs(self.client.set("large", "small"), True)
        self.assertEqual(self.client.get("large"), "small")

    def test_keys(self):
        self.assertIs(self.client.set("k" * 250, "1"), True)
        self.assertEqual(self.client.get("k" * 250), "1")
        for answer in (lambda: self.client.set("k" * 251, "1"), lambda: self.client.get("k" * 251)):
            with self.subTest():
                try:
                    self.assertFalse(answer())
                except (pylibmc.Error, ValueError):
                    pass

    def test_noreply(self):
        client = self.make(_noreply=True)
        for i in range(200):
            client.set(f"quiet{i}", i)
        client.delete("quiet0")
        deadline = time.monotonic() + 10
        while self.client.get("quiet199") is None and time.monotonic() < deadline:
            time.sleep(0.01)
        values = self.client.get_multi([f"quiet{i}" for i in range(200)])
        self.assertEqual(values, {f"quiet{i}": i for i in range(1, 200)})

    def test_not_blocking(self):
        client = self.make(no_block=True)
        for i in range(100):
            client.set(f"unblocked{i}", i)
        self.assertEqual(client.get("unblocked99"), 99)
        self.assertEqual(len(self.client.get_multi([f"unblocked{i}" for i in range(100)])), 100)

    def stats(self, *arguments):
        ((_, stats),) = self.client.get_stats(*arguments)
        return {text(name): text(value) for name, value in stats.items()}

    def test_stats(self):
        stats = self.stats()
        self.assertGreater(int(stats["pid"]), 0)
        self.assertRegex(stats["version"], r"^\d+\.\d+")
        # libmemcached keeps only the general names of a sub-command, but reads the whole reply.
        for sub_command in ("settings", "items", "slabs"):
            self.assertEqual(len(self.client.get_stats(sub_command)), 1)
        with self.assertRaises(pylibmc.Error):
            self.client.get_stats("nonsense")

    def test_flush(self):
        self.client.set("k", "1")
        self.assertIs(self.client.flush_all(), True)
        self.assertIsNone(self.client.get("k"))

    def test_disconnect_and_clone(self):
        self.client.set("k", "1")
        self.client.disconnect_all()
        self.assertEqual(self.client.get("k"), "1")
        self.assertEqual(self.client.clone().get("k"), "1")


class Others(unittest.TestCase):
    """Pools and more than one server."""

    def test_pools(self):
        client = pylibmc.Client([SERVER], binary=BINARY, **LOGIN)
        pools = (pylibmc.ClientPool(client, 4), pylibmc.ThreadMappedPool(client))
        wrong = []

        def work(pool, number):
            for turn in range(100):
                with pool.reserve(**({"block": True} if isinstance(pool, pylibmc.ClientPool) else {})) as one:
                    key = f"pool{number}"
                    if not one.set(key, turn) or one.get(key) != turn:
                        wrong.append((number, turn))
            if isinstance(pool, pylibmc.ThreadMappedPool):
                pool.relinquish()

        for pool in pools:
            threads = [threading.Thread(target=work, args=(pool, number)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(wrong, [])

    def test_several_servers(self):
        for behaviors in ({}, {"ketama": True}, {"distribution": "consistent", "hash": "murmur"}, {"hash": "crc"}):
            client = pylibmc.Client([SERVER, *FURTHER], binary=BINARY, **LOGIN, behaviors=behaviors)
            client.flush_all()
            values = {f"spread{i}": i for i in range(300)}
            self.assertEqual(client.set_multi(values), [])
            self.assertEqual(client.get_multi(list(values)), values)
            held = [len(pylibmc.Client([one], binary=BINARY, **LOGIN).get_multi(list(values))) for one in (SERVER, *FURTHER)]
            self.assertEqual(sum(held), 300)
            self.assertTrue(all(held), held)


if LOGIN:

    class Strangers(unittest.TestCase):
        """Requests before a login."""

        def test_a_wrong_password(self):
            stranger = pylibmc.Client([SERVER], binary=True, **{**LOGIN, "password": "wrong"})
            with self.assertRaises(pylibmc.Error):
                stranger.set("k", "1")

        def test_no_login(self):
            with self.assertRaises(pylibmc.Error):
                pylibmc.Client([SERVER], binary=True).set("k", "1")


if __name__ == "__main__":
    common.main(f"{pylibmc.__version__} with libmemcached {pylibmc.libmemcached_version}")
