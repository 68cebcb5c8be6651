// All functions of npm's `memcached`: the text protocol.

import Memcached from "memcached";
import { assert, bytes, called, main, servers, sizes, sleep } from "./harness.mjs";

const options = { timeout: 10_000, retries: 0, maxValue: 2 ** 21 };
const client = new Memcached(servers[0], options);
const call = (method, ...rest) => called(client, method, ...rest);
const fails = (promise, message) => assert.rejects(promise, message);

const tests = {
  "set get": async () => {
    assert.equal(await call("set", "k", "value", 100), true);
    assert.equal(await call("get", "k"), "value");
    assert.equal(await call("get", "missing"), undefined);
    assert.equal(await call("set", "empty", "", 0), true);
    assert.equal(await call("get", "empty"), "");
  },
  types: async () => {
    for (const value of [7, true, { a: [1, "☃"] }, "☃".repeat(100), Buffer.from([0, 13, 10, 255])]) {
      await call("set", "k", value, 0);
      assert.deepEqual(await call("get", "k"), value);
    }
  },
  add: async () => {
    assert.equal(await call("add", "k", "1", 0), true);
    await fails(call("add", "k", "2", 0), /not stored/i);
    assert.equal(await call("get", "k"), "1");
  },
  replace: async () => {
    await fails(call("replace", "k", "1", 0), /not stored/i);
    await call("set", "k", "1", 0);
    assert.equal(await call("replace", "k", "2", 0), true);
    assert.equal(await call("get", "k"), "2");
  },
  "append prepend": async () => {
    await fails(call("append", "k", "x"), /not stored/i);
    await fails(call("prepend", "k", "x"), /not stored/i);
    await call("set", "k", "middle", 0);
    assert.equal(await call("append", "k", "-end"), true);
    assert.equal(await call("prepend", "k", "begin-"), true);
    assert.equal(await call("get", "k"), "begin-middle-end");
  },
  "gets cas": async () => {
    await call("set", "k", "1", 0);
    const { k, cas } = await call("gets", "k");
    assert.equal(k, "1");
    assert.equal(await call("cas", "k", "2", cas, 0), true);
    assert.equal(await call("cas", "k", "3", cas, 0), false);
    assert.equal(await call("get", "k"), "2");
  },
  "get multi": async () => {
    const wanted = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`key${i}`, `value${i}`]));
    await Promise.all(Object.entries(wanted).map(([key, value]) => call("set", key, value, 0)));
    assert.deepEqual({ ...(await call("getMulti", [...Object.keys(wanted), "missing"])) }, wanted);
  },
  "incr decr": async () => {
    assert.equal(await call("incr", "n", 1), false);
    await call("set", "n", "10", 0);
    assert.equal(await call("incr", "n", 32), 42);
    assert.equal(await call("decr", "n", 2), 40);
    assert.equal(await call("decr", "n", 100), 0);
    await call("set", "n", "words", 0);
    await fails(call("incr", "n", 1), /non-numeric/);
  },
  touch: async () => {
    assert.equal(await call("touch", "k", 100), false);
    await call("set", "k", "1", 2);
    assert.equal(await call("touch", "k", 100), true);
    await sleep(2200);
    assert.equal(await call("get", "k"), "1");
  },
  delete: async () => {
    assert.equal(await call("del", "k"), false);
    await call("set", "k", "1", 0);
    assert.equal(await call("del", "k"), true);
    assert.equal(await call("get", "k"), undefined);
  },
  expiry: async () => {
    await call("set", "soon", "1", 1);
    await call("set", "later", "1", 1000);
    await call("set", "absolute", "1", Math.floor(Date.now() / 1000) + 1000);
    await sleep(2200);
    assert.deepEqual(Object.keys(await call("getMulti", ["soon", "later", "absolute"])).sort(), ["absolute", "later"]);
  },
  "large values": async () => {
    // The client sends a buffer as UTF-8, so the length is predictable for text only.
    for (const size of sizes) {
      const value = bytes(size).toString("hex").slice(0, size);
      assert.equal(await call("set", "large", value, 0), true);
      assert.ok(value === (await call("get", "large")), `${size}`);
    }
  },
  "too large": async () => {
    // After a server error this client avoids the server for a while.
    const other = new Memcached(servers[0], options);
    assert.equal(await called(other, "set", "large", "x".repeat(2 ** 20), 0), false);
    other.end();
    assert.equal(await call("set", "k", "still there", 0), true);
    assert.equal(await call("get", "k"), "still there");
  },
  "binary values": async () => {
    for (const value of ["\0", "\r\n", "END\r\n", "VALUE k 0 1\r\n1\r\nEND\r\n"]) {
      const sent = Buffer.from(value);
      await call("set", "k", sent, 0);
      assert.ok(sent.equals(await call("get", "k")), value);
    }
  },
  keys: async () => {
    for (const key of ["a", "k".repeat(250), "key:with/signs?&="]) {
      await call("set", key, "1", 0);
      assert.equal(await call("get", key), "1");
    }
    await fails(call("set", "with space", "1", 0), /key/);
  },
  version: async () => {
    const [version] = await call("version");
    assert.match(version.version, /^\d+\.\d+/);
  },
  stats: async () => {
    const [stats] = await call("stats");
    assert.ok(stats.pid > 0 && stats.limit_maxbytes > 0 && "cmd_get" in stats);
  },
  "stats settings items slabs": async () => {
    await call("set", "k", "1", 0);
    const [settings] = await call("settings");
    assert.equal(settings.cas_enabled, "yes");
    const [items] = await call("items");
    assert.ok(Object.values(items)[0].number >= 1);
    assert.equal((await call("slabs")).length, 1);
  },
  flush: async () => {
    await call("set", "k", "1", 0);
    assert.deepEqual(await call("flush"), [true]);
    assert.equal(await call("get", "k"), undefined);
  },
  namespace: async () => {
    const other = new Memcached(servers[0], { ...options, namespace: "space:" });
    await called(other, "set", "k", "1", 0);
    assert.equal(await call("get", "space:k"), "1");
    assert.deepEqual({ ...(await called(other, "getMulti", ["k", "none"])) }, { k: "1" });
    other.end();
  },
  concurrency: async () => {
    const work = async (number) => {
      for (let turn = 0; turn < 20; turn += 1) {
        await call("set", `w${number}`, turn, 0);
        assert.equal(await call("get", `w${number}`), turn);
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_, number) => work(number)));
  },
  reconnect: async () => {
    await call("set", "k", "1", 0);
    client.end();
    assert.equal(await call("get", "k"), "1");
  },
  "several servers": async () => {
    const several = new Memcached(servers, options);
    await called(several, "flush");
    const keys = Array.from({ length: 300 }, (_, i) => `spread${i}`);
    await Promise.all(keys.map((key) => called(several, "set", key, key, 0)));
    assert.equal(Object.keys(await called(several, "getMulti", keys)).length, 300);
    const held = Object.keys(await call("getMulti", keys)).length;
    assert.ok(held > 0 && held < 300, `${held}`);
    several.end();
  },
};

await main("memcached", tests, () => call("flush"));
