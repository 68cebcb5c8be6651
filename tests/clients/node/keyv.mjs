// All functions of `@keyv/memcache` below Keyv: the binary protocol, with SASL if SASL_USER is set.

import { KeyvMemcache } from "@keyv/memcache";
import Keyv from "keyv";
import { assert, main, password, servers, sleep, user } from "./harness.mjs";

const options = { username: user, password, timeout: 10 };
const store = new KeyvMemcache(servers[0], options);
const keyv = new Keyv({ store });

const tests = {
  "set get": async () => {
    assert.equal(await keyv.set("k", "value"), true);
    assert.equal(await keyv.get("k"), "value");
    assert.equal(await keyv.get("missing"), undefined);
  },
  types: async () => {
    for (const value of ["text", 7, 2.5, true, { a: [1, "☃"] }, [1, 2], Buffer.from([0, 255])]) {
      await keyv.set("k", value);
      assert.deepEqual(await keyv.get("k"), value);
    }
  },
  has: async () => {
    assert.equal(await keyv.has("k"), false);
    await keyv.set("k", 1);
    assert.equal(await keyv.has("k"), true);
  },
  delete: async () => {
    assert.equal(await keyv.delete("k"), false);
    await keyv.set("k", 1);
    assert.equal(await keyv.delete("k"), true);
    assert.equal(await keyv.get("k"), undefined);
  },
  "delete many": async () => {
    await keyv.set("a", 1);
    await keyv.set("b", 2);
    assert.equal(await keyv.delete(["a", "b"]), true);
    assert.equal(await keyv.has("a"), false);
  },
  "get many": async () => {
    for (let i = 0; i < 50; i += 1) await keyv.set(`key${i}`, i);
    const keys = Array.from({ length: 50 }, (_, i) => `key${i}`);
    assert.deepEqual(await keyv.get(keys), keys.map((_, i) => i));
  },
  "set many": async () => {
    await keyv.setMany([{ key: "a", value: 1 }, { key: "b", value: { c: 2 } }]);
    assert.deepEqual([await keyv.get("a"), await keyv.get("b")], [1, { c: 2 }]);
  },
  overwrite: async () => {
    await keyv.set("k", "old");
    await keyv.set("k", "new");
    assert.equal(await keyv.get("k"), "new");
  },
  ttl: async () => {
    await keyv.set("soon", 1, 2000);
    await keyv.set("later", 1, 1_000_000);
    assert.equal(await keyv.get("soon"), 1);
    await sleep(2200);
    assert.equal(await keyv.get("soon"), undefined);
    assert.equal(await keyv.get("later"), 1);
    // The server no longer has the item either.
    assert.equal((await store.client.get("keyv:soon")).value, null);
  },
  "default ttl": async () => {
    const short = new Keyv({ store, ttl: 1000 });
    await short.set("k", 1);
    await sleep(2200);
    assert.equal(await short.has("k"), false);
  },
  namespaces: async () => {
    const [one, two] = ["one", "two"].map(
      (namespace) => new Keyv({ store: new KeyvMemcache(servers[0], options), namespace }),
    );
    await one.set("k", 1);
    await two.set("k", 2);
    assert.deepEqual([await one.get("k"), await two.get("k"), await keyv.get("k")], [1, 2, undefined]);
  },
  clear: async () => {
    await keyv.set("k", 1);
    await keyv.clear();
    assert.equal(await keyv.get("k"), undefined);
  },
  "long keys": async () => {
    const key = "k".repeat(240);
    await keyv.set(key, 1);
    assert.equal(await keyv.get(key), 1);
  },
  "large values": async () => {
    const text = "☃".repeat(300_000);
    await keyv.set("large", text);
    assert.equal(await keyv.get("large"), text);
  },
  concurrency: async () => {
    const work = async (number) => {
      for (let turn = 0; turn < 20; turn += 1) {
        await keyv.set(`w${number}`, turn);
        assert.equal(await keyv.get(`w${number}`), turn);
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_, number) => work(number)));
  },
  "raw values": async () => {
    await keyv.set("k", [1, "two"], 100_000);
    const raw = await keyv.getRaw("k");
    assert.deepEqual(raw.value, [1, "two"]);
    assert.ok(raw.expires > Date.now());
  },
};

await main("@keyv/memcache", tests, () => keyv.clear());
