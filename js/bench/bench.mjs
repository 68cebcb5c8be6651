// CPU nanoseconds per operation of wasmcached, lru-cache and Map: interleaved rounds, of each the 10th percentile.
// 20-byte keys, 100-byte values; `hot`: 2,048 of 10,000 keys, `cold`: 200,000 keys at random.

import { LRUCache } from 'lru-cache';
import { Cache } from 'wasmcached';

const ROUNDS = 25;
const OPERATIONS = 20_000;
const value = new Uint8Array(100).fill(120);
const string = 'x'.repeat(100);

const key = (i) => `user:${String(i).padStart(15, '0')}`;

function setting(count) {
  const keys = Array.from({ length: count }, (_, i) => key(i));
  const cache = new Cache({ maxSize: 128 * 1024 * 1024 });
  const lru = new LRUCache({ max: count });
  const map = new Map();
  for (const one of keys) {
    cache.set(one, value);
    lru.set(one, value);
    map.set(one, value);
  }
  const chosen = Array.from({ length: OPERATIONS }, () => keys[Math.floor(Math.random() * Math.min(count, count > 10_000 ? count : 2048))]);
  const encoder = new TextEncoder();
  const encoded = chosen.map((one) => encoder.encode(one));
  const request = encoder.encode(chosen.slice(0, 64).map((one) => `get ${one}\r\n`).join(''));
  return {
    'Map get': () => chosen.forEach((one) => map.get(one)),
    'lru-cache get': () => chosen.forEach((one) => lru.get(one)),
    'wasmcached get': () => chosen.forEach((one) => cache.get(one)),
    'wasmcached get (bytes key)': () => encoded.forEach((one) => cache.get(one)),
    'wasmcached getText': () => chosen.forEach((one) => cache.getText(one)),
    'wasmcached has': () => chosen.forEach((one) => cache.has(one)),
    'wasmcached execute, 64 gets (a get)': () => {
      for (let i = 0; i < OPERATIONS / 64; i++) cache.execute(request);
    },
    'Map set, copied': () => chosen.forEach((one) => map.set(one, value.slice())),
    'lru-cache set': () => chosen.forEach((one) => lru.set(one, value)),
    'lru-cache set, copied': () => chosen.forEach((one) => lru.set(one, value.slice())),
    'wasmcached set (bytes)': () => chosen.forEach((one) => cache.set(one, value)),
    'wasmcached set (string)': () => chosen.forEach((one) => cache.set(one, string)),
    'wasmcached set with ttl': () => chosen.forEach((one) => cache.set(one, value, { ttl: 60_000 })),
  };
}

function measure(operations) {
  const times = new Map(Object.keys(operations).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, operation] of Object.entries(operations)) {
      const before = process.cpuUsage();
      operation();
      const { user, system } = process.cpuUsage(before);
      times.get(name).push(((user + system) * 1000) / OPERATIONS);
    }
  }
  return new Map([...times].map(([name, all]) => [name, all.sort((a, b) => a - b)[Math.floor(ROUNDS / 10)]]));
}

const hot = measure(setting(10_000));
const cold = measure(setting(200_000));
console.log(`${process.release.name} ${process.version}, ns of CPU an operation\n`);
console.log(`${''.padEnd(38)}${'hot'.padStart(8)}${'cold'.padStart(8)}`);
for (const [name, time] of hot) {
  console.log(`${name.padEnd(38)}${time.toFixed(0).padStart(8)}${cold.get(name).toFixed(0).padStart(8)}`);
}
