// Measures the budget: linear memory by its length, resident memory as the system reports it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Cache } from 'wasmcached';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

const MIB = 1024 * 1024;
/** Memory of an instance outside its budget: windows, buffers, stack and static data. */
const FIXED_MAX = 2 * MIB;
/** Tolerance for resident memory: the collector and the system free memory with a delay. */
const SLACK = 24 * MIB;

const resident = () => process.memoryUsage().rss;

/** Waits until memory is at most `most`: the system gets it back some time after the collector ran. */
async function settled(most) {
  for (let i = 0; i < 100 && resident() > most; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return resident();
}

/** Four times what fits, in entries of many sizes. */
function fill(cache) {
  const value = new Uint8Array(100_000).fill(1);
  const sizes = [0, 10, 100, 500, 3000, 40_000, 100_000];
  for (let i = 0, written = 0; written < 4 * cache.maxSize; i++) {
    const size = sizes[i % sizes.length];
    cache.set(`key${i}`, value.subarray(0, size));
    written += size + 40;
  }
}

test('a full cache stays within its budget', async () => {
  collect();
  const before = resident();
  const cache = new Cache({ maxSize: 96 * MIB });
  fill(cache);
  const { memoryBytes: memory, usedBytes, evictions } = cache.stats();
  assert.ok(evictions > 0);
  assert.ok(usedBytes <= 96 * MIB);
  assert.ok(usedBytes > 0.85 * 96 * MIB, `only ${usedBytes} bytes are used`);
  assert.ok(memory <= 96 * MIB + FIXED_MAX, `${memory} bytes of linear memory`);
  const after = await settled(before + 96 * MIB + SLACK);
  assert.ok(after - before <= 96 * MIB + SLACK, `${after - before} bytes resident`);
  assert.ok(after - before >= 80 * MIB, `${after - before} bytes resident: nothing was measured`);
  cache.dispose();
});

test('memory that is not used is not taken', () => {
  collect();
  const before = resident();
  const caches = Array.from({ length: 4 }, () => new Cache({ maxSize: 512 * MIB }).set('a', '1'));
  const taken = resident() - before;
  assert.ok(taken < SLACK, `${taken} bytes resident`);
  for (const cache of caches) cache.dispose();
});

for (const way of ['dispose', 'clear', 'forget']) {
  test(`${way} gives memory back`, async () => {
    await settled(0);
    const before = resident();
    let cache = new Cache({ maxSize: 96 * MIB });
    fill(cache);
    const full = resident();
    assert.ok(full - before > 80 * MIB, `${full - before} bytes resident: nothing was measured`);
    if (way === 'forget') cache = undefined;
    else cache[way]();
    const after = await settled(before + SLACK);
    assert.ok(after - before <= SLACK, `${after - before} bytes are still resident`);
  });
}

test('a thousand caches', () => {
  const caches = Array.from({ length: 1000 }, (_, i) => new Cache({ maxSize: MIB }).set('a', String(i)));
  assert.ok(caches.every((cache, i) => cache.getText('a') === String(i)));
});
