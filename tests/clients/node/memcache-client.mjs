// All functions of npm's `memcache-client`: the text protocol over TCP and TLS.

import { deflateSync, inflateSync } from "node:zlib";
import { MemcacheClient } from "memcache-client";
import { assert, bytes, main, servers, sizes, sleep, tls } from "./harness.mjs";

const compressor = {
  compressSync: ({ input }) => deflateSync(input),
  decompressSync: ({ input }) => inflateSync(input),
};
const make = (options = {}) =>
  new MemcacheClient({ server: servers[0], lifetime: 1000, cmdTimeout: 10_000, compressor, tls, ...options });
const client = make();
const stored = ["STORED"];
const value = async (key) => (await client.get(key))?.value;

const tests = {
  "set get": async () => {
    assert.deepEqual(await client.set("k", "value"), stored);
    assert.equal(await value("k"), "value");
    assert.equal(await client.get("missing"), undefined);
  },
  types: async () => {
    for (const sent of [7, 2.5, { a: [1, "☃"] }, "☃".repeat(100), Buffer.from([0, 13, 10, 255])]) {
      await client.set("k", sent);
      assert.deepEqual(await value("k"), sent);
    }
  },
  add: async () => {
    assert.deepEqual(await client.add("k", "1"), stored);
    await assert.rejects(client.add("k", "2"), /NOT_STORED/);
    assert.equal(await value("k"), "1");
  },
  replace: async () => {
    await assert.rejects(client.replace("k", "1"), /NOT_STORED/);
    await client.set("k", "1");
    assert.deepEqual(await client.replace("k", "2"), stored);
    assert.equal(await value("k"), "2");
  },
  "append prepend": async () => {
    await assert.rejects(client.append("k", "x"), /NOT_STORED/);
    await client.set("k", "middle");
    assert.deepEqual(await client.append("k", "-end"), stored);
    assert.deepEqual(await client.prepend("k", "begin-"), stored);
    assert.equal(await value("k"), "begin-middle-end");
  },
  "gets cas": async () => {
    await client.set("k", "1");
    const { casUniq, value: old } = await client.gets("k");
    assert.equal(old, "1");
    assert.deepEqual(await client.cas("k", "2", { casUniq }), stored);
    await assert.rejects(client.cas("k", "3", { casUniq }), /EXISTS/);
    await assert.rejects(client.cas("missing", "3", { casUniq }), /NOT_FOUND/);
    assert.equal(await value("k"), "2");
  },
  "get many": async () => {
    const keys = Array.from({ length: 300 }, (_, i) => `key${i}`);
    await Promise.all(keys.map((key) => client.set(key, key)));
    const found = await client.get([...keys, "missing"]);
    assert.deepEqual(Object.fromEntries(Object.entries(found).map(([key, item]) => [key, item.value])),
      Object.fromEntries(keys.map((key) => [key, key])));
    assert.equal(new Set(Object.values(await client.gets(keys)).map((item) => item.casUniq)).size, 300);
  },
  incr: async () => {
    await assert.rejects(client.incr("n", 1), /NOT_FOUND/);
    await client.set("n", "10");
    assert.equal(await client.incr("n", 32), "42");
    await client.set("n", "words");
    await assert.rejects(client.incr("n", 1), /non-numeric/);
  },
  decr: async () => {
    await assert.rejects(client.decr("n", 1), /NOT_FOUND/);
    await client.set("n", "10");
    assert.equal(await client.decr("n", 2), "8");
    assert.equal(await client.decr("n", 100), "0");
  },
  touch: async () => {
    await assert.rejects(client.touch("k", 100), /NOT_FOUND/);
    await client.set("k", "1", { lifetime: 2 });
    assert.deepEqual(await client.touch("k", 100), ["TOUCHED"]);
    await sleep(2200);
    assert.equal(await value("k"), "1");
  },
  delete: async () => {
    await assert.rejects(client.delete("k"), /NOT_FOUND/);
    await client.set("k", "1");
    assert.deepEqual(await client.delete("k"), ["DELETED"]);
    assert.equal(await client.get("k"), undefined);
  },
  expiry: async () => {
    await client.set("soon", "1", { lifetime: 1 });
    await client.set("later", "1", { lifetime: 1000 });
    await client.set("gone", "1", { lifetime: -1 });
    await sleep(2200);
    assert.deepEqual(Object.keys(await client.get(["soon", "later", "gone"])), ["later"]);
  },
  compression: async () => {
    const text = "compress me ".repeat(10_000);
    const stored = async () => Number(Object.fromEntries((await client.cmd("stats")).STAT).bytes);
    const before = await stored();
    await client.set("compressed", text, { compress: true });
    assert.equal(await value("compressed"), text);
    assert.ok((await stored()) - before < text.length / 2);
  },
  noreply: async () => {
    // Compared with replies on the same connection, which arrive in order.
    for (let i = 0; i < 100; i += 1) client.set(`quiet${i}`, `${i}`, { noreply: true });
    client.delete("quiet0", { noreply: true });
    client.cmd("incr quiet1 6", { noreply: true });
    await sleep(0);
    const found = await client.get(Array.from({ length: 100 }, (_, i) => `quiet${i}`));
    assert.equal(Object.keys(found).length, 99);
    assert.equal(String(found.quiet1.value), "7");
  },
  "large values": async () => {
    for (const size of sizes) {
      const sent = bytes(size);
      assert.deepEqual(await client.set("large", sent), stored);
      assert.ok(sent.equals(await value("large")), `${size}`);
    }
  },
  "too large": async () => {
    await assert.rejects(client.set("large", Buffer.alloc(2 ** 20)), /too large/);
    await client.set("k", "still there");
    assert.equal(await value("k"), "still there");
  },
  "binary values": async () => {
    for (const text of ["\0", "\r\n", "END\r\n", "VALUE k 0 1\r\n1\r\nEND\r\n"]) {
      const sent = Buffer.from(text);
      await client.set("k", sent);
      assert.ok(sent.equals(await value("k")), text);
    }
  },
  keys: async () => {
    for (const key of ["a", "k".repeat(250), "key:with/signs?&="]) {
      await client.set(key, "1");
      assert.equal(await value(key), "1");
    }
    await assert.rejects(client.set("k".repeat(251), "1"), /CLIENT_ERROR/);
    assert.equal(await value("a"), "1");
  },
  "version stats": async () => {
    assert.match((await client.version())[1], /^\d+\.\d+/);
    const stats = Object.fromEntries((await client.cmd("stats")).STAT);
    assert.ok(Number(stats.pid) > 0);
    const settings = Object.fromEntries((await client.cmd("stats settings")).STAT);
    assert.equal(settings.cas_enabled, "yes");
  },
  flush: async () => {
    await client.set("k", "1");
    assert.deepEqual(await client.cmd("flush_all"), ["OK"]);
    assert.equal(await client.get("k"), undefined);
  },
  "arbitrary data": async () => {
    assert.deepEqual(await client.send("set foo 0 0 5\r\nhello\r\n"), stored);
    assert.equal(await value("foo"), "hello");
    await assert.rejects(client.cmd("nonsense"), /ERROR/);
  },
  "several connections": async () => {
    const pool = make({ server: { server: servers[0], maxConnections: 5 } });
    const work = async (number) => {
      for (let turn = 0; turn < 20; turn += 1) {
        await pool.set(`w${number}`, turn);
        assert.equal((await pool.get(`w${number}`)).value, turn);
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_, number) => work(number)));
    pool.shutdown();
  },
};

await main("memcache-client", tests, () => client.cmd("flush_all"));
