"""All functions of emcache: the text protocol over TCP, TLS and Unix sockets, with and without authentication."""

import asyncio
import importlib.metadata
import os
import time
import unittest

import common
import emcache


def node(text):
    where = common.address(text)
    return emcache.MemcachedUnixSocketPath(where) if isinstance(where, str) else emcache.MemcachedHostAddress(*where)


NODE = node(common.SERVER)


async def make(nodes=(NODE,), **options):
    authority = os.environ.get("TLS_CA")
    if authority:
        options |= {"ssl": True, "ssl_extra_ca": authority}
    if common.USER:
        options = {"username": common.USER, "password": common.PASSWORD, **options}
    return await emcache.create_client(list(nodes), timeout=10, **options)


class Client(unittest.IsolatedAsyncioTestCase):
    """One server."""

    async def asyncSetUp(self):
        self.client = await make()
        self.addAsyncCleanup(self.client.close)
        await self.client.flush_all(NODE)

    async def value(self, key):
        item = await self.client.get(key)
        return None if item is None else item.value

    async def test_set_get(self):
        await self.client.set(b"k", b"value", flags=4711)
        item = await self.client.get(b"k", return_flags=True)
        self.assertEqual((item.value, item.flags, item.cas), (b"value", 4711, None))
        self.assertIsNone(await self.client.get(b"missing"))
        await self.client.set(b"empty", b"")
        self.assertEqual(await self.value(b"empty"), b"")

    async def test_add_replace(self):
        with self.assertRaises(emcache.NotStoredStorageCommandError):
            await self.client.replace(b"k", b"1")
        await self.client.add(b"k", b"1")
        with self.assertRaises(emcache.NotStoredStorageCommandError):
            await self.client.add(b"k", b"2")
        await self.client.replace(b"k", b"3")
        self.assertEqual(await self.value(b"k"), b"3")

    async def test_append_prepend(self):
        for command in (self.client.append, self.client.prepend):
            with self.assertRaises(emcache.NotStoredStorageCommandError):
                await command(b"k", b"x")
        await self.client.set(b"k", b"middle")
        await self.client.append(b"k", b"-end")
        await self.client.prepend(b"k", b"begin-")
        self.assertEqual(await self.value(b"k"), b"begin-middle-end")

    async def test_cas(self):
        await self.client.set(b"k", b"1")
        item = await self.client.gets(b"k")
        await self.client.cas(b"k", b"2", item.cas)
        with self.assertRaises(emcache.NotStoredStorageCommandError):
            await self.client.cas(b"k", b"3", item.cas)
        with self.assertRaises(emcache.StorageCommandError):
            await self.client.cas(b"missing", b"3", item.cas)
        self.assertEqual(await self.value(b"k"), b"2")

    async def test_many(self):
        keys = [b"key%d" % i for i in range(200)]
        await asyncio.gather(*(self.client.set(key, key * 2, flags=i) for i, key in enumerate(keys)))
        found = await self.client.get_many(keys + [b"missing"], return_flags=True)
        self.assertEqual({key: (item.value, item.flags) for key, item in found.items()},
                         {key: (key * 2, i) for i, key in enumerate(keys)})
        found = await self.client.gets_many(keys)
        self.assertEqual(len({item.cas for item in found.values()}), 200)

    async def test_incr_decr(self):
        for command in (self.client.increment, self.client.decrement):
            with self.assertRaises(emcache.NotFoundCommandError):
                await command(b"n", 1)
        await self.client.set(b"n", b"10")
        self.assertEqual(await self.client.increment(b"n", 32), 42)
        self.assertEqual(await self.client.decrement(b"n", 2), 40)
        self.assertEqual(await self.client.decrement(b"n", 100), 0)
        await self.client.set(b"n", b"18446744073709551615")
        self.assertEqual(await self.client.increment(b"n", 2), 1)

    async def test_touch(self):
        with self.assertRaises(emcache.NotFoundCommandError):
            await self.client.touch(b"k", 10)
        await self.client.set(b"k", b"1")
        await self.client.touch(b"k", -1)
        self.assertIsNone(await self.client.get(b"k"))

    async def test_gat(self):
        for i in range(3):
            await self.client.set(b"k%d" % i, b"%d" % i, flags=i)
        item = await self.client.gat(100, b"k1", return_flags=True)
        self.assertEqual((item.value, item.flags), (b"1", 1))
        self.assertIsNotNone((await self.client.gats(100, b"k1")).cas)
        found = await self.client.gat_many(100, [b"k0", b"k2", b"none"])
        self.assertEqual({key: item.value for key, item in found.items()}, {b"k0": b"0", b"k2": b"2"})
        found = await self.client.gats_many(-1, [b"k0", b"k2"])
        self.assertTrue(all(item.cas for item in found.values()) and len(found) == 2)
        self.assertEqual(list(await self.client.get_many([b"k0", b"k1", b"k2"])), [b"k1"])

    async def test_delete(self):
        with self.assertRaises(emcache.NotFoundCommandError):
            await self.client.delete(b"k")
        await self.client.set(b"k", b"1")
        await self.client.delete(b"k")
        self.assertIsNone(await self.client.get(b"k"))

    async def test_expiry(self):
        await self.client.set(b"soon", b"1", exptime=1)
        await self.client.set(b"later", b"1", exptime=1000)
        await self.client.set(b"absolute", b"1", exptime=int(time.time()) + 1000)
        await self.client.set(b"gone", b"1", exptime=-1)
        self.assertIsNone(await self.client.get(b"gone"))
        await asyncio.sleep(2.2)
        self.assertEqual(set(await self.client.get_many([b"soon", b"later", b"absolute"])), {b"later", b"absolute"})

    async def test_noreply(self):
        # Another connection of the pool may overtake one with noreply.
        client = await make(max_connections=1)
        await client.set(b"k", b"5", noreply=True)
        await client.append(b"k", b"1", noreply=True)
        await client.increment(b"k", 3, noreply=True)
        await client.decrement(b"k", 1, noreply=True)
        await client.touch(b"k", 100, noreply=True)
        await client.add(b"k", b"refused", noreply=True)
        self.assertEqual((await client.get(b"k")).value, b"53")
        await client.delete(b"k", noreply=True)
        self.assertIsNone(await client.get(b"k"))
        await client.close()

    async def test_large_values(self):
        for size in (1, 1023, 65_536, 1_048_376):
            value = os.urandom(size)
            await self.client.set(b"large", value)
            self.assertEqual(await self.value(b"large"), value)
        with self.assertRaises(emcache.CommandError):
            await self.client.set(b"large", b"x" * 1_048_576)
        await self.client.set(b"k", b"still there")
        self.assertEqual(await self.value(b"k"), b"still there")

    async def test_binary_values(self):
        for value in (b"\0", b"\r\n", b"END\r\n", b"VALUE k 0 1\r\n", bytes(range(256)) * 10):
            await self.client.set(b"k", value)
            self.assertEqual(await self.value(b"k"), value)

    async def test_keys(self):
        for key in (b"a", b"k" * 250, "käse".encode(), bytes(range(0x80, 0xff))):
            await self.client.set(key, b"1")
            self.assertEqual(await self.value(key), b"1")
        for key in (b"with space", b"k" * 251, b"line\n"):
            with self.assertRaises((ValueError, emcache.CommandError)):
                await self.client.set(key, b"1")

    async def test_administration(self):
        self.assertRegex(await self.client.version(NODE), r"^\d+\.\d+")
        await self.client.cache_memlimit(NODE, 64)
        await self.client.verbosity(NODE, 0)
        stats = await self.client.stats(NODE)
        self.assertEqual(stats["limit_maxbytes"], str(64 << 20))
        self.assertEqual((await self.client.stats(NODE, "settings"))["cas_enabled"], "yes")
        await self.client.set(b"k", b"1")
        self.assertTrue(await self.client.stats(NODE, "items"))
        self.assertIn("active_slabs", await self.client.stats(NODE, "slabs"))

    async def test_flush(self):
        await self.client.set(b"k", b"1")
        await self.client.flush_all(NODE, delay=100)
        self.assertEqual(await self.value(b"k"), b"1")
        await self.client.flush_all(NODE)
        self.assertIsNone(await self.client.get(b"k"))

    async def test_autobatching(self):
        client = await make(autobatching=True)
        keys = [b"batch%d" % i for i in range(300)]
        await asyncio.gather(*(client.set(key, key) for key in keys))
        items = await asyncio.gather(*(client.get(key) for key in keys), client.gets(b"none"))
        self.assertEqual([item and item.value for item in items], keys + [None])
        await client.close()

    async def test_concurrency(self):
        client = await make(max_connections=8)

        async def work(number):
            for turn in range(30):
                await client.set(b"w%d" % number, b"%d" % turn)
                self.assertEqual((await client.get(b"w%d" % number)).value, b"%d" % turn)

        await asyncio.gather(*(work(number) for number in range(30)))
        await client.close()


class Others(unittest.IsolatedAsyncioTestCase):
    """More than one server."""

    async def test_several_servers(self):
        nodes = [NODE, *map(node, common.FURTHER)]
        self.assertEqual(len(nodes), 3)
        client = await make(nodes)
        self.addAsyncCleanup(client.close)
        for one in nodes:
            await client.flush_all(one)
        keys = [b"spread%d" % i for i in range(300)]
        await asyncio.gather(*(client.set(key, key) for key in keys))
        found = await client.get_many(keys)
        self.assertEqual({key: item.value for key, item in found.items()}, {key: key for key in keys})
        held = []
        for one in nodes:
            alone = await make([one])
            held.append(len(await alone.get_many(keys)))
            await alone.close()
        self.assertEqual(sum(held), 300)
        self.assertTrue(all(held), held)


if common.USER:

    class Strangers(unittest.IsolatedAsyncioTestCase):
        """Requests before a login."""

        async def test_a_wrong_password(self):
            with self.assertRaises((emcache.CommandError, asyncio.TimeoutError)):
                stranger = await make(password="wrong")
                await stranger.get(b"k")


if __name__ == "__main__":
    common.main(importlib.metadata.version("emcache"))
