// Random operations of every method against a naive model. In the environment:
// - WASMCACHED_MODEL_OPERATIONS: how many for each kind of cache, instead of 60,000
// - WASMCACHED_MODEL_SEED: repeats a run. The cache's own seed differs, so what a small cache evicts may differ.
// - WASMCACHED_MODEL_RUNTIMES: `workerd,bun,chromium`: those that run as many operations as Node. Without it workerd runs a tenth.
//   Bun is installed by npm at the first run; Chromium is that of the system (Debian's chromium).
// A million operations of each method's kind, everywhere, in about an hour:
// WASMCACHED_MODEL_OPERATIONS=1000000 WASMCACHED_MODEL_RUNTIMES=workerd,bun,chromium node --test test/model.test.mjs

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { Cache } from 'wasmcached';
import { answerOf, RUNTIMES } from './model/elsewhere.mjs';
import { KINDS, run } from './model/run.mjs';

const OPERATIONS = Number(process.env.WASMCACHED_MODEL_OPERATIONS ?? 60_000);
const SEED = Number(process.env.WASMCACHED_MODEL_SEED ?? Math.floor(Math.random() * 2 ** 32));
const ASKED = process.env.WASMCACHED_MODEL_RUNTIMES?.split(',');

/** Methods that operations of another name call. */
const COVERED_ELSEWHERE = ['constructor', 'key', 'as', 'namespace', 'dump', 'load', 'dumpChunks', 'loadChunks', 'fetchAs', 'dispose', 'stats', 'after', 'clearAll'];

suite('model', () => {
  for (const kind of Object.keys(KINDS)) {
    test(`${OPERATIONS} operations on a ${kind} cache (seed ${SEED})`, async () => {
      const counts = await run(Cache, kind, SEED, OPERATIONS);
      const methods = new Set();
      for (let at = Cache.prototype; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
        for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) if (typeof value === 'function') methods.add(name);
      }
      const missing = [...methods].filter((name) => counts[name] === undefined && !COVERED_ELSEWHERE.includes(name));
      assert.deepEqual(missing, []);
    });
  }

  for (const [name, answer] of Object.entries(RUNTIMES)) {
    if (name !== 'workerd' && !ASKED?.includes(name)) continue;
    const operations = ASKED?.includes(name) ? OPERATIONS : Math.ceil(OPERATIONS / 10);
    test(`${operations} operations on each kind in ${name} (seed ${SEED})`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'wasmcached-model-'));
      try {
        assert.equal(await answer(folder, SEED, operations), answerOf(operations));
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
});
