// All functions of npm's `memjs`: the binary protocol, with SASL if SASL_USER is set.

import memjs from "memjs";
import { assert, bytes, called, main, password, servers, sizes, sleep, user } from "./harness.mjs";

const options = { username: user, password, timeout: 10, logger: { log() {} } };
const make = (where, further) => memjs.Client.create(where, { ...options, ...further });
const client = make(servers[0]);
const get = async (key) => (await client.get(key)).value?.toString() ?? null;

const tests = {
  "set get": async () => {
    assert.equal(await client.set("k", "value", {}), true);
    assert.equal(await get("k"), "value");
    assert.equal(await get("missing"), null);
    await client.set("empty", "", {});
    assert.equal(await get("empty"), "");
  },
  flags: async () => {
    const typed = make(servers[0], {
      serializer: {
        serialize: (opcode, value, extras) => {
          extras.writeUInt32BE(7, 0);
          return { value: JSON.stringify(value), extras };
        },
        deserialize: (opcode, value, extras) => {
          assert.equal(extras.readUInt32BE(0), 7);
          return { value: JSON.parse(value), extras };
        },
      },
    });
    await typed.set("k", { a: [1, "☃"] }, {});
    assert.deepEqual((await typed.get("k")).value, { a: [1, "☃"] });
    typed.close();
  },
  add: async () => {
    assert.equal(await client.add("k", "1", {}), true);
    assert.equal(await client.add("k", "2", {}), false);
    assert.equal(await get("k"), "1");
  },
  replace: async () => {
    assert.equal(await client.replace("k", "1", {}), false);
    await client.set("k", "1", {});
    assert.equal(await client.replace("k", "2", {}), true);
    assert.equal(await get("k"), "2");
  },
  append: async () => {
    await assert.rejects(client.append("k", "x"), /not stored/i);
    await client.set("k", "begin", {});
    assert.equal(await client.append("k", "-end"), true);
    assert.equal(await get("k"), "begin-end");
  },
  prepend: async () => {
    await assert.rejects(client.prepend("k", "x"), /not stored/i);
    await client.set("k", "first", {});
    assert.equal(await client.prepend("k", "-second"), true);
    // The client sends the opcode of append.
    assert.equal(await get("k"), "first-second");
  },
  incr: async () => {
    assert.deepEqual(await client.increment("n", 5, { initial: 10 }), { success: true, value: 10 });
    assert.deepEqual(await client.increment("n", 32, {}), { success: true, value: 42 });
    assert.equal(await get("n"), "42");
  },
  decr: async () => {
    assert.deepEqual(await client.decrement("n", 5, { initial: 10 }), { success: true, value: 10 });
    assert.deepEqual(await client.decrement("n", 4, {}), { success: true, value: 6 });
    assert.deepEqual(await client.decrement("n", 100, {}), { success: true, value: 0 });
  },
  "incr of words": async () => {
    await client.set("n", "words", {});
    await assert.rejects(client.increment("n", 1, {}), /non-numeric|bad delta/i);
    assert.equal(await get("n"), "words");
  },
  touch: async () => {
    assert.equal(await client.touch("k", 100), false);
    await client.set("k", "1", { expires: 2 });
    assert.equal(await client.touch("k", 100), true);
    await sleep(2200);
    assert.equal(await get("k"), "1");
  },
  delete: async () => {
    assert.equal(await client.delete("k"), false);
    await client.set("k", "1", {});
    assert.equal(await client.delete("k"), true);
    assert.equal(await get("k"), null);
  },
  expiry: async () => {
    await client.set("soon", "1", { expires: 1 });
    await client.set("later", "1", { expires: 1000 });
    await client.set("absolute", "1", { expires: Math.floor(Date.now() / 1000) + 1000 });
    await sleep(2200);
    assert.deepEqual([await get("soon"), await get("later"), await get("absolute")], [null, "1", "1"]);
  },
  "large values": async () => {
    for (const size of sizes) {
      const value = bytes(size);
      assert.equal(await client.set("large", value, {}), true);
      assert.ok(value.equals((await client.get("large")).value), `${size}`);
    }
  },
  "too large": async () => {
    await assert.rejects(client.set("large", Buffer.alloc(2 ** 20), {}), /too large/i);
    await client.set("k", "still there", {});
    assert.equal(await get("k"), "still there");
  },
  "binary keys": async () => {
    for (const key of ["a", "k".repeat(250), "with space", "line\r\nfeed", "käse-☃", "nul\0"]) {
      await client.set(key, key, {});
      assert.equal(await get(key), key);
    }
  },
  stats: async () => {
    const found = await new Promise((resolve) => client.stats((error, server, all) => resolve(all)));
    assert.ok(Number(found.pid) > 0 && "cmd_get" in found);
    const settings = await new Promise((resolve) =>
      client.statsWithKey("settings", (error, server, all) => resolve(all)),
    );
    assert.equal(settings.cas_enabled, "yes");
  },
  "reset of stats": async () => {
    assert.equal(await called(client, "resetStats"), servers[0]);
    const found = await new Promise((resolve) => client.stats((error, server, all) => resolve(all)));
    assert.equal(found.cmd_set, "0");
  },
  flush: async () => {
    await client.set("k", "1", {});
    await client.flush();
    assert.equal(await get("k"), null);
  },
  pipelining: async () => {
    const keys = Array.from({ length: 500 }, (_, i) => `pipe${i}`);
    const sets = keys.map((key) => client.set(key, key, {}));
    const gets = keys.map((key) => get(key));
    assert.ok((await Promise.all(sets)).every(Boolean));
    assert.deepEqual(await Promise.all(gets), keys);
  },
  "quit and reconnect": async () => {
    const other = make(servers[0]);
    await other.set("k", "1", {});
    other.quit();
    await sleep(100);
    assert.equal(await get("k"), "1");
  },
  "several servers": async () => {
    const several = make(servers.join(","));
    await several.flush();
    const keys = Array.from({ length: 300 }, (_, i) => `spread${i}`);
    await Promise.all(keys.map((key) => several.set(key, key, {})));
    const found = await Promise.all(keys.map((key) => several.get(key)));
    assert.deepEqual(found.map((item) => item.value.toString()), keys);
    const here = (await Promise.all(keys.map(get))).filter(Boolean).length;
    assert.ok(here > 0 && here < 300, `${here}`);
    several.close();
  },
};

if (user) {
  tests["a wrong password"] = async () => {
    const stranger = make(servers[0], { password: "wrong", retries: 1, timeout: 2 });
    await assert.rejects(stranger.set("k", "1", {}));
    stranger.close();
    assert.equal(await get("k"), null);
  };
}

await main("memjs", tests, () => client.flush());
