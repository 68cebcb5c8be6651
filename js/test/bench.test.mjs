// The parts of the benchmark that decide what its numbers mean: loads, the exact LRU, bars, and the pages it writes.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { isMet, shown } from '../bench/bars.mjs';
import { ExactLru, itemBytes } from '../bench/exact-lru.mjs';
import { generator, median, ratio, rounds } from '../bench/measure.mjs';
import { replaceBlock } from '../bench/page.mjs';
import { PARTS } from '../bench/parts.mjs';
import { chart } from '../bench/picture.mjs';
import { flatKey, key, KEY_BYTES, value, zipf } from '../bench/workload.mjs';

test('the exact LRU evicts as a naive one', () => {
  const random = generator(3);
  const lru = new ExactLru(1000);
  let naive = [];
  for (let i = 0; i < 20_000; i++) {
    const wanted = Math.floor(random() * 60);
    const bytes = 20 + wanted;
    const there = naive.some((one) => one.key === wanted);
    naive = [...naive.filter((one) => one.key !== wanted), { key: wanted, bytes }];
    while (naive.reduce((sum, one) => sum + one.bytes, 0) > 1000) naive.shift();
    assert.equal(lru.request(wanted, bytes), there, `request ${i}`);
  }
  assert.equal(lru.request('large', 1001), false);
  assert.equal(lru.request(naive.at(-1).key, 0), true, 'an item above the capacity evicts nothing');
});

test('an item weighs as in the benchmark of the store', () => {
  assert.equal(Math.floor(itemBytes(20, 68)), 109);
  assert.equal(itemBytes(20, 4096) - itemBytes(20, 4092), 8);
  assert.equal(itemBytes(20, 1 << 16) - itemBytes(20, (1 << 16) - 4), 8);
});

test('Zipf asks for a rank as often as its law says', () => {
  const requests = zipf(1000, 0.8, 200_000);
  const counts = new Array(1000).fill(0);
  for (const rank of requests) counts[rank]++;
  const sum = Array.from({ length: 1000 }, (_, rank) => (rank + 1) ** -0.8).reduce((a, b) => a + b);
  for (const rank of [0, 1, 9]) {
    const expected = (200_000 * (rank + 1) ** -0.8) / sum;
    assert.ok(Math.abs(counts[rank] - expected) < 5 * Math.sqrt(expected), `rank ${rank}: ${counts[rank]}, not ${expected}`);
  }
});

test('keys and values are what the pages say', () => {
  for (const number of [0, 7, 123_456, 999_999]) {
    assert.equal(key(number).length, KEY_BYTES);
    assert.equal(flatKey(number), key(number));
  }
  assert.equal(value('strings', 27), 'b'.repeat(100));
  assert.deepEqual(value('bytes', 27), new Uint8Array(100).fill(98));
});

test('a ratio is the median of the ratios of a round', () => {
  assert.equal(median([5, 1, 3]), 3);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(ratio([10, 20, 90], [5, 10, 30]), 2);
  const times = rounds({ a: () => {}, b: () => {} }, { count: 1, rounds: 4 });
  assert.deepEqual(Object.values(times).map((all) => all.length), [4, 4]);
});

test('a bar without a measurement is missed', () => {
  assert.equal(isMet({ value: 2, most: 2 }), true);
  assert.equal(isMet({ value: 2.01, most: 2 }), false);
  assert.equal(isMet({ value: 1, least: 1 }), true);
  assert.equal(isMet({ value: 0.999, least: 1 }), false);
  assert.equal(isMet({ value: undefined, most: 2 }), false);
  assert.equal(isMet({ value: NaN, least: 1 }), false);
  assert.equal(shown({ value: undefined }), 'not there');
});

test('only the part of a page between the markers changes', () => {
  const [begin, end] = ['begin', 'end'].map((which) => `<!-- ${which} of what \`npm run bench -- --write\` writes: time -->\n`);
  assert.equal(replaceBlock(`head\n${begin}old\n${end}tail\n`, 'time', 'new', 'page'), `head\n${begin}new\n${end}tail\n`);
  assert.equal(replaceBlock('no markers', 'time', 'new', 'page'), undefined);
  assert.throws(() => replaceBlock(begin, 'time', 'new', 'page'), /page lacks/);
});

test('every part has its place in the reference', () => {
  const page = readFileSync(new URL('../../docs/reference/javascript.md', import.meta.url), 'utf8');
  for (const name of [...Object.keys(PARTS), 'time, Bun', 'time, Deno']) {
    assert.notEqual(replaceBlock(page, name, '', 'javascript.md'), undefined, name);
  }
});

test('a chart has bars in proportion', () => {
  const bars = [
    { label: 'a & b', value: 50, shown: '50', tone: 'ours' },
    { label: 'c', value: 100, shown: '100', tone: 'other' },
  ];
  const svg = chart({ title: 't', note: '<n>', groups: [{ label: 'g', bars }] });
  const [ours, other] = ['ours', 'other'].map((tone) => Number(new RegExp(`class="${tone}".*?width="([\\d.]+)"`).exec(svg)[1]));
  assert.equal(other / ours, 2);
  assert.match(svg, /a &amp; b/);
  assert.match(svg, /&lt;n>/);
});
