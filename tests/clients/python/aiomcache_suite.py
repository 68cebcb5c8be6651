"""All functions of aiomcache over TCP and TLS."""

import asyncio
import importlib.metadata
import os
import time
import unittest

import aiomcache
import common
from aiomcache.exceptions import ClientException, ValidationException

HOST, PORT = common.address(common.SERVER)


def make(kind=aiomcache.Client, **options):
    context = common.tls_context()
    return kind(HOST, PORT, conn_args={"ssl": context} if context else None, **options)


async def pickled(value):
    return repr(value).encode(), 7


async def unpickled(value, flags):
    if flags != 7:
        raise ClientException("unknown flags", flags)
    return eval(value)


class Client(unittest.IsolatedAsyncioTestCase):
    """One server."""

    async def asyncSetUp(self):
        self.client = make()
        self.addAsyncCleanup(self.client.close)
        await self.client.flush_all()

    async def test_set_get(self):
        self.assertIs(await self.client.set(b"k", b"value"), True)
        self.assertEqual(await self.client.get(b"k"), b"value")
        self.assertIsNone(await self.client.get(b"missing"))
        self.assertEqual(await self.client.get(b"missing", b"default"), b"default")
        self.assertIs(await self.client.set(b"empty", b""), True)
        self.assertEqual(await self.client.get(b"empty"), b"")

    async def test_add(self):
        self.assertIs(await self.client.add(b"k", b"1"), True)
        self.assertIs(await self.client.add(b"k", b"2"), False)
        self.assertEqual(await self.client.get(b"k"), b"1")

    async def test_replace(self):
        self.assertIs(await self.client.replace(b"k", b"1"), False)
        await self.client.set(b"k", b"1")
        self.assertIs(await self.client.replace(b"k", b"2"), True)
        self.assertEqual(await self.client.get(b"k"), b"2")

    async def test_append_prepend(self):
        self.assertIs(await self.client.append(b"k", b"x"), False)
        self.assertIs(await self.client.prepend(b"k", b"x"), False)
        await self.client.set(b"k", b"middle")
        self.assertIs(await self.client.append(b"k", b"-end"), True)
        self.assertIs(await self.client.prepend(b"k", b"begin-"), True)
        self.assertEqual(await self.client.get(b"k"), b"begin-middle-end")

    async def test_gets_cas(self):
        self.assertEqual(await self.client.gets(b"k"), (None, None))
        await self.client.set(b"k", b"1")
        value, unique = await self.client.gets(b"k")
        self.assertEqual(value, b"1")
        self.assertIs(await self.client.cas(b"k", b"2", unique), True)
        self.assertIs(await self.client.cas(b"k", b"3", unique), False)
        self.assertIs(await self.client.cas(b"missing", b"3", unique), False)
        self.assertEqual(await self.client.get(b"k"), b"2")

    async def test_multi_get(self):
        keys = [b"key%d" % i for i in range(300)]
        for key in keys:
            await self.client.set(key, key)
        self.assertEqual(await self.client.multi_get(*keys), tuple(keys))
        self.assertEqual(await self.client.multi_get(b"key7", b"none", b"key8"), (b"key7", None, b"key8"))

    async def test_incr(self):
        with self.assertRaises(ClientException):
            await self.client.incr(b"n")
        await self.client.set(b"n", b"10")
        self.assertEqual(await self.client.incr(b"n"), 11)
        self.assertEqual(await self.client.incr(b"n", 31), 42)
        await self.client.set(b"n", b"words")
        with self.assertRaises(ClientException):
            await self.client.incr(b"n")

    async def test_decr(self):
        with self.assertRaises(ClientException):
            await self.client.decr(b"n")
        await self.client.set(b"n", b"10")
        self.assertEqual(await self.client.decr(b"n"), 9)
        self.assertEqual(await self.client.decr(b"n", 100), 0)

    async def test_touch(self):
        self.assertIs(await self.client.touch(b"k", 100), False)
        await self.client.set(b"k", b"1")
        self.assertIs(await self.client.touch(b"k", 100), True)
        self.assertEqual(await self.client.get(b"k"), b"1")

    async def test_delete(self):
        self.assertIs(await self.client.delete(b"k"), False)
        await self.client.set(b"k", b"1")
        self.assertIs(await self.client.delete(b"k"), True)
        self.assertIsNone(await self.client.get(b"k"))

    async def test_expiry(self):
        await self.client.set(b"soon", b"1", exptime=1)
        await self.client.set(b"later", b"1", exptime=1000)
        await self.client.set(b"absolute", b"1", exptime=int(time.time()) + 1000)
        await self.client.set(b"touched", b"1")
        await self.client.touch(b"touched", 1)
        await asyncio.sleep(2.2)
        self.assertEqual(await self.client.multi_get(b"soon", b"later", b"absolute", b"touched"),
                         (None, b"1", b"1", None))

    async def test_large_values(self):
        for size in (1, 1023, 65_536, 1_048_376):
            value = os.urandom(size)
            self.assertIs(await self.client.set(b"large", value), True)
            self.assertEqual(await self.client.get(b"large"), value)

    async def test_too_large(self):
        with self.assertRaises(ClientException):
            await self.client.set(b"large", b"x" * 1_048_576)
        self.assertIs(await self.client.set(b"k", b"still there"), True)
        self.assertEqual(await self.client.get(b"k"), b"still there")

    async def test_binary_values(self):
        for value in (b"\0", b"\r\n", b"END\r\n", b"VALUE k 0 1\r\n", bytes(range(256)) * 10):
            await self.client.set(b"k", value)
            self.assertEqual(await self.client.get(b"k"), value)

    async def test_keys(self):
        for key in (b"a", b"k" * 250, "käse-☃".encode()):
            self.assertIs(await self.client.set(key, b"1"), True)
            self.assertEqual(await self.client.get(key), b"1")
        for key in (b"k" * 251, b"with space", b"line\n"):
            with self.assertRaises(ValidationException):
                await self.client.set(key, b"1")

    async def test_version_stats(self):
        self.assertRegex(await self.client.version(), rb"^\d+\.\d+")
        stats = await self.client.stats()
        self.assertGreater(int(stats[b"pid"]), 0)
        self.assertEqual((await self.client.stats(b"settings"))[b"cas_enabled"], b"yes")
        self.assertIn(b"active_slabs", await self.client.stats(b"slabs"))

    async def test_flush(self):
        await self.client.set(b"k", b"1")
        await self.client.flush_all()
        self.assertIsNone(await self.client.get(b"k"))

    async def test_flag_client(self):
        client = make(aiomcache.FlagClient, get_flag_handler=unpickled, set_flag_handler=pickled)
        self.addAsyncCleanup(client.close)
        for value in ({"a": [1, 2]}, 7, "text"):
            self.assertIs(await client.set(b"object", value), True)
            self.assertEqual(await client.get(b"object"), value)
            self.assertEqual(await client.multi_get(b"object", b"none"), (value, None))

    async def test_pool(self):
        client = make(pool_size=8)
        self.addAsyncCleanup(client.close)

        async def work(number):
            for turn in range(30):
                await client.set(b"w%d" % number, b"%d" % turn)
                self.assertEqual(await client.get(b"w%d" % number), b"%d" % turn)

        await asyncio.gather(*(work(number) for number in range(30)))

    async def test_reconnect(self):
        await self.client.set(b"k", b"1")
        await self.client.close()
        self.assertEqual(await self.client.get(b"k"), b"1")


if __name__ == "__main__":
    common.main(importlib.metadata.version("aiomcache"))
