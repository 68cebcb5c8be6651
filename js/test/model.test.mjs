// Random operations of every method against a naive model. In the environment:
// - WASMCACHED_MODEL_OPERATIONS: how many for each kind of cache, instead of 60,000
// - WASMCACHED_MODEL_SEED: repeats a run. The cache's own seed differs, so what a small cache evicts may differ.
// - WASMCACHED_MODEL_RUNTIMES: `bun,chromium` besides Node and workerd; `npm run matrix` installs what they need

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { Cache } from 'wasmcached';
import { RUNTIMES } from './model/elsewhere.mjs';
import { KINDS, run } from './model/run.mjs';

const OPERATIONS = Number(process.env.WASMCACHED_MODEL_OPERATIONS ?? 60_000);
const SEED = Number(process.env.WASMCACHED_MODEL_SEED ?? Math.floor(Math.random() * 2 ** 32));
/** Of the runtimes that are not asked for, workerd runs a tenth. */
const ASKED = process.env.WASMCACHED_MODEL_RUNTIMES?.split(',');

/** Methods that operations of another name call. */
const COVERED_ELSEWHERE = ['constructor', 'key', 'as', 'namespace', 'dump', 'load', 'dumpChunks', 'loadChunks', 'fetchAs', 'dispose', 'stats'];

suite('model', () => {
  for (const kind of Object.keys(KINDS)) {
    test(`${OPERATIONS} operations on a ${kind} cache (seed ${SEED})`, async () => {
      const counts = await run(Cache, kind, SEED, OPERATIONS);
      const methods = new Set();
      for (let at = Cache.prototype; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
        for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) if (typeof value === 'function') methods.add(name);
      }
      const missing = [...methods].filter((name) => counts[name] === undefined && !COVERED_ELSEWHERE.includes(name) && name !== 'clearAll');
      assert.deepEqual(missing, []);
    });
  }

  for (const [name, answer] of Object.entries(RUNTIMES)) {
    if (name !== 'workerd' && !ASKED?.includes(name)) continue;
    const operations = ASKED?.includes(name) ? OPERATIONS : Math.ceil(OPERATIONS / 10);
    test(`${2 * operations} operations in ${name} (seed ${SEED})`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'wasmcached-model-'));
      try {
        assert.equal(await answer(folder, SEED, operations), `ok: ${2 * operations} operations`);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
});
