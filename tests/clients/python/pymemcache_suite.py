"""All functions of pymemcache over TCP, TLS and Unix sockets."""

import os
import socket
import threading
import time
import unittest

import common
import pymemcache
from pymemcache import exceptions, serde
from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.client.rendezvous import RendezvousHash
from pymemcache.client.retrying import RetryingClient
from pymemcache.fallback import FallbackClient

SERVER = common.address(common.SERVER)
FURTHER = [common.address(one) for one in common.FURTHER]


def client_of(server, **options):
    return Client(server, **{"timeout": 10, "tls_context": common.tls_context(), **options})


class Basic(unittest.TestCase):
    """One client, every command."""

    def make(self, **options):
        client = client_of(SERVER, **{"connect_timeout": 10, "default_noreply": False, **options})
        self.addCleanup(client.close)
        return client

    def setUp(self):
        self.client = self.make()
        self.client.flush_all()

    def test_set_get(self):
        self.assertIs(self.client.set("k", b"value"), True)
        self.assertEqual(self.client.get("k"), b"value")
        self.assertIsNone(self.client.get("missing"))
        self.assertEqual(self.client.get("missing", b"default"), b"default")
        self.assertIs(self.client.set("k", b"flags", flags=12345), True)
        self.assertEqual(self.client.get("k"), b"flags")
        self.assertIs(self.client.set("empty", b""), True)
        self.assertEqual(self.client.get("empty"), b"")

    def test_add_replace(self):
        self.assertIs(self.client.replace("k", b"1"), False)
        self.assertIs(self.client.add("k", b"1"), True)
        self.assertIs(self.client.add("k", b"2"), False)
        self.assertIs(self.client.replace("k", b"3"), True)
        self.assertEqual(self.client.get("k"), b"3")

    def test_append_prepend(self):
        self.assertIs(self.client.append("k", b"x"), False)
        self.assertIs(self.client.prepend("k", b"x"), False)
        self.client.set("k", b"middle")
        self.assertIs(self.client.append("k", b"-end"), True)
        self.assertIs(self.client.prepend("k", b"begin-"), True)
        self.assertEqual(self.client.get("k"), b"begin-middle-end")

    def test_cas(self):
        self.assertEqual(self.client.gets("k"), (None, None))
        self.assertIsNone(self.client.cas("k", b"1", b"1"))
        self.client.set("k", b"1")
        value, unique = self.client.gets("k")
        self.assertEqual(value, b"1")
        self.assertIs(self.client.cas("k", b"2", unique), True)
        self.assertIs(self.client.cas("k", b"3", unique), False)
        self.assertEqual(self.client.get("k"), b"2")
        self.assertTrue(self.client.cas("k", b"4", int(self.client.gets("k")[1])))

    def test_many(self):
        values = {f"key{i}": b"%d" % i for i in range(300)}
        self.assertEqual(self.client.set_many(values), [])
        self.assertEqual(self.client.get_many(values), values)
        self.assertEqual(self.client.get_multi(list(values)), values)
        gets = self.client.gets_many(values)
        self.assertEqual({key: value for key, (value, _) in gets.items()}, values)
        self.assertEqual(len({unique for _, unique in gets.values()}), 300)
        self.assertIs(self.client.delete_many(list(values)[:100]), True)
        self.assertEqual(len(self.client.get_many(values)), 200)
        self.assertEqual(self.client.set_multi(values), [])
        self.assertIs(self.client.delete_multi(values), True)
        self.assertEqual(self.client.get_many(values), {})
        self.assertEqual(self.client.get_many([]), {})

    def test_delete(self):
        self.assertIs(self.client.delete("k"), False)
        self.client.set("k", b"1")
        self.assertIs(self.client.delete("k"), True)
        self.assertIsNone(self.client.get("k"))

    def test_incr_decr(self):
        self.assertIsNone(self.client.incr("n", 1))
        self.assertIsNone(self.client.decr("n", 1))
        self.client.set("n", b"10")
        self.assertEqual(self.client.incr("n", 5), 15)
        self.assertEqual(self.client.decr("n", 20), 0)
        self.client.set("n", b"18446744073709551615")
        self.assertEqual(self.client.incr("n", 1), 0)
        self.client.set("n", b"words")
        with self.assertRaises(exceptions.MemcacheClientError):
            self.client.incr("n", 1)
        self.assertEqual(self.client.get("n"), b"words")

    def test_touch(self):
        self.assertIs(self.client.touch("k", expire=100), False)
        self.client.set("k", b"1")
        self.assertIs(self.client.touch("k", expire=100), True)
        self.assertEqual(self.client.get("k"), b"1")
        self.assertIs(self.client.touch("k", expire=-1), True)
        self.assertIsNone(self.client.get("k"))

    def test_commands_without_a_method(self):
        self.client.set("k", b"1")
        self.assertEqual(self.client.raw_command("gat 100 k", b"END\r\n"), b"VALUE k 0 1\r\n1\r\n")
        self.assertRegex(self.client.raw_command("gats 100 k", b"END\r\n"), rb"^VALUE k 0 1 \d+\r\n1\r\n$")
        self.assertEqual(self.client.raw_command("gat -1 k", b"END\r\n"), b"VALUE k 0 1\r\n1\r\n")
        self.assertEqual(self.client.raw_command("get k"), b"END")

    def test_expiry(self):
        self.client.set("soon", b"1", expire=1)
        self.client.set("later", b"1", expire=1000)
        self.client.set("never", b"1", expire=0)
        self.client.set("absolute", b"1", expire=int(time.time()) + 1000)
        self.client.set("gone", b"1", expire=-1)
        self.assertIsNone(self.client.get("gone"))
        time.sleep(2.2)
        self.assertIsNone(self.client.get("soon"))
        self.assertEqual(len(self.client.get_many(["later", "never", "absolute"])), 3)

    def test_noreply(self):
        client = self.make(default_noreply=True)
        self.assertIs(client.set("k", b"1"), True)
        self.assertIs(client.add("k", b"x"), True)
        self.assertIs(client.append("k", b"2"), True)
        self.assertIs(client.prepend("k", b"0"), True)
        self.assertEqual(client.get("k"), b"012")
        self.assertIs(client.replace("k", b"8"), True)
        self.assertIsNone(client.incr("k", 2, noreply=True))
        self.assertIsNone(client.decr("k", 1, noreply=True))
        # A shorter number is padded in place, as in memcached.
        self.assertEqual(client.get("k"), b"9 ")
        self.assertIs(client.touch("k", 100), True)
        self.assertIs(client.cas("k", b"1", client.gets("k")[1], noreply=True), True)
        self.assertEqual(client.get("k"), b"1")
        self.assertEqual(client.set_many({f"m{i}": b"%d" % i for i in range(100)}), [])
        self.assertEqual(len(client.get_many([f"m{i}" for i in range(100)])), 100)
        self.assertIs(client.delete("k"), True)
        self.assertIs(client.delete_many([f"m{i}" for i in range(100)]), True)
        self.assertEqual(client.get_many(["k", "m1", "m99"]), {})
        client.set("k", b"1")
        self.assertIs(client.flush_all(noreply=True), True)
        self.assertIsNone(client.get("k"))

    def test_large_values(self):
        for size in (1, 1023, 4096, 65_536, 500_000, 1_048_376):
            value = os.urandom(size)
            self.assertIs(self.client.set("large", value), True, size)
            self.assertEqual(self.client.get("large"), value, size)
        with self.assertRaises(exceptions.MemcacheServerError):
            self.client.set("large", b"x" * 1_048_576)
        self.assertIsNone(self.client.get("large"))
        self.assertIs(self.client.set("large", b"small"), True)

    def test_binary_values(self):
        for value in (b"\0", b"\r\n", b"END\r\n", b"VALUE k 0 1\r\n", bytes(range(256)) * 10, b"STORED\r\nEND\r\n"):
            self.assertIs(self.client.set("binary", value), True)
            self.assertEqual(self.client.get("binary"), value)
            self.assertEqual(self.client.get_many(["binary", "none"]), {"binary": value})

    def test_keys(self):
        for key in ("a", "k" * 250, "key:with/signs?&=", b"bytes"):
            self.assertIs(self.client.set(key, b"1"), True)
            self.assertEqual(self.client.get(key), b"1")
        for key in ("k" * 251, "with space", "line\nfeed", "tab\tkey", "nul\0", "käse"):
            with self.assertRaises(exceptions.MemcacheIllegalInputError):
                self.client.set(key, b"1")
        unicode_client = self.make(allow_unicode_keys=True, encoding="utf8")
        self.assertIs(unicode_client.set("käse-☃", b"cheese"), True)
        self.assertEqual(unicode_client.get("käse-☃"), b"cheese")
        self.assertEqual(unicode_client.get_many(["käse-☃"]), {"käse-☃": b"cheese"})

    def test_key_prefix(self):
        client = self.make(key_prefix=b"app:")
        client.set("k", b"1")
        self.assertEqual(self.client.get("app:k"), b"1")
        self.assertEqual(client.get_many(["k"]), {"k": b"1"})
        client.incr("k", 1)
        self.assertIs(client.delete("k"), True)

    def test_serde(self):
        values = ["text", 7, 1 << 80, b"bytes", {"a": [1, 2, 3]}, None, 3.5, "\N{SNOWMAN}", True]
        client = self.make(serde=serde.pickle_serde, encoding="utf8")
        for value in values:
            client.set("object", value)
            self.assertEqual(client.get("object"), value)
        self.assertEqual(client.set_many({f"o{i}": value for i, value in enumerate(values)}), [])
        self.assertEqual(client.get_many([f"o{i}" for i in range(len(values))]),
                         {f"o{i}": value for i, value in enumerate(values)})
        compressing = self.make(serde=serde.CompressedSerde())
        compressing.set("compressed", b"x" * 100_000)
        self.assertEqual(compressing.get("compressed"), b"x" * 100_000)
        self.assertLess(len(self.client.get("compressed")), 2000)

    def test_administration(self):
        self.assertRegex(self.client.version(), rb"^\d+\.\d+")
        self.assertIs(self.client.cache_memlimit(64), True)
        stats = self.client.stats()
        self.assertEqual(stats[b"limit_maxbytes"], 64 * 1024 * 1024)
        self.assertGreater(stats[b"pid"], 0)
        self.assertIn(b"cmd_get", stats)
        self.assertEqual(self.client.stats("settings")[b"cas_enabled"], b"yes")
        self.client.set("k", b"1")
        self.assertTrue(self.client.stats("items"))
        self.assertIn(b"active_slabs", self.client.stats("slabs"))
        self.assertTrue(self.client.stats("conns"))
        self.assertIs(self.client.flush_all(), True)
        self.assertIsNone(self.client.get("k"))
        self.assertEqual(self.client.raw_command("verbosity 0"), b"OK")
        self.assertEqual(self.client.raw_command("stats reset"), b"RESET")
        self.assertEqual(self.client.stats()[b"cmd_set"], 0)

    def test_delayed_flush(self):
        self.client.set("k", b"1")
        self.assertIs(self.client.flush_all(delay=100), True)
        self.assertEqual(self.client.get("k"), b"1")
        self.assertIs(self.client.flush_all(), True)
        self.assertIsNone(self.client.get("k"))

    def test_shutdown_is_refused(self):
        # An old memcached replies `ERROR: …`, newer ones `SERVER_ERROR: …`.
        with self.assertRaises((exceptions.MemcacheServerError, exceptions.MemcacheUnknownCommandError)):
            self.client._misc_cmd([b"shutdown\r\n"], b"shutdown", False)
        self.assertIs(self.client.set("k", b"1"), True)

    def test_errors_do_not_break_the_connection(self):
        self.client.set("k", b"1")
        with self.assertRaises(exceptions.MemcacheUnknownCommandError):
            self.client._misc_cmd([b"nonsense\r\n"], b"nonsense", False)
        self.assertEqual(self.client.get("k"), b"1")

    def test_quit_and_reconnect(self):
        self.client.set("k", b"1")
        self.client.quit()
        self.assertEqual(self.client.get("k"), b"1")
        self.client.disconnect_all()
        self.assertEqual(self.client.get("k"), b"1")

    def test_subscript(self):
        self.client["k"] = b"1"
        self.assertEqual(self.client["k"], b"1")
        del self.client["k"]
        with self.assertRaises(KeyError):
            self.client["k"]

    def test_timeout(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        client = Client(silent.getsockname(), timeout=0.2, connect_timeout=2)
        self.addCleanup(client.close)
        with self.assertRaises(TimeoutError):
            client.get("k")
        ignoring = Client(silent.getsockname(), timeout=0.2, connect_timeout=2, ignore_exc=True)
        self.addCleanup(ignoring.close)
        self.assertIsNone(ignoring.get("k"))


class Others(unittest.TestCase):
    """The wrappers of the client."""

    def test_pooled(self):
        client = PooledClient(SERVER, max_pool_size=8, timeout=10, default_noreply=False,
                              tls_context=common.tls_context())
        client.flush_all()
        wrong = []

        def work(number):
            for turn in range(100):
                key, value = f"pool{number}-{turn % 10}", b"%d" % turn
                if client.set(key, value) is not True or client.get(key) != value:
                    wrong.append((key, turn))
            if client.get_many([f"pool{number}-{i}" for i in range(10)]).keys() != \
                    {f"pool{number}-{i}" for i in range(10)}:
                wrong.append(number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        client.set("n", b"0")
        self.assertEqual(client.incr("n", 2), 2)
        self.assertIs(client.delete("n"), True)
        self.assertIs(client.touch("pool0-0", 10), True)
        self.assertEqual(client.gets("none"), (None, None))
        client.close()

    def test_retrying(self):
        client = RetryingClient(client_of(SERVER), attempts=2, retry_delay=0.01)
        client.set("retry", b"1", noreply=False)
        self.assertEqual(client.get("retry"), b"1")
        client.close()

    def test_fallback(self):
        new, old = client_of(SERVER, key_prefix=b"new:"), client_of(SERVER, key_prefix=b"old:")
        old.set("k", b"from the old one", noreply=False)
        client = FallbackClient((new, old))
        self.assertEqual(client.get("k"), b"from the old one")
        client.close()

    def test_hashed(self):
        servers = [SERVER, *FURTHER]
        for pooled in (False, True):
            client = HashClient(servers, hasher=RendezvousHash, use_pooling=pooled, timeout=10, default_noreply=False,
                                tls_context=common.tls_context())
            client.flush_all()
            values = {f"hash{i}": b"%d" % i for i in range(300)}
            self.assertEqual(client.set_many(values), [])
            self.assertEqual(client.get_many(list(values)), values)
            held = []
            for server in servers:
                one = client_of(server)
                held.append(len(one.get_many(list(values))))
                one.close()
            self.assertEqual(sum(held), 300)
            self.assertTrue(all(held), held)
            self.assertIs(client.add("hash0", b"x"), False)
            self.assertEqual(client.incr("hash5", 5), 10)
            value, unique = client.gets("hash7")
            self.assertIs(client.cas("hash7", value + b"!", unique), True)
            self.assertIs(client.delete_many(list(values)), True)
            self.assertEqual(client.get_many(list(values)), {})
            client.close()


if __name__ == "__main__":
    common.main(pymemcache.__version__)
