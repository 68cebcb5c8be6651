// The pictures of `docs/images/`: a function a picture, from the results of its part.

import { OURS } from './contestant.mjs';
import { median } from './measure.mjs';
import { chart } from './picture.mjs';

/** Hit ratio for the same resident memory: the headline. */
export function hitRatioPicture({ rows }) {
  const percent = (value) => `${(100 * value).toFixed(1)} %`;
  const bar = (label, value, tone) => ({ label, value, shown: percent(value), tone });
  return chart({
    title: 'Hit ratio for the same resident memory',
    groups: rows.slice(0, 3).map((row) => ({
      label: `${row.mib} MiB, Zipf ${row.exponent}`,
      bars: [
        bar('wasmcached', row.ours.hitRatio, 'ours'),
        bar('lru-cache, Uint8Array values', row['lru bytes'].hitRatio, 'other'),
        bar('lru-cache, string values', row['lru strings'].hitRatio, 'other'),
        bar('an exact LRU of items as small as ours', row.exact.hitRatio, 'reference'),
      ],
    })),
    note: 'A million keys of 20 bytes, values of 100 bytes, two million requests, read-through. More is better.',
  });
}

/** Resident bytes of an entry. */
export function memoryPicture({ rows }) {
  return chart({
    title: 'Memory of an entry: 20-byte key, 100-byte value',
    groups: byKind(rows, (one) => one.rss, (value) => `${value.toFixed(0)} bytes`),
    note: 'Resident bytes of the process with a million entries, divided by them. Less is better.',
  });
}

/** Time of a full collection. */
export function collectionPicture({ rows }) {
  return chart({
    title: 'A full garbage collection with a million entries',
    groups: byKind(rows, (one) => one.gcMs, (value) => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`),
    note: 'The program stands still for so long. Less is better.',
  });
}

/** Time of operations. */
export function timePicture({ settings }) {
  const setting = (name, kind) => settings.find((one) => one.name === name && one.kind === kind).times;
  const group = (label, name, operations) => ({
    label,
    bars: operations.flatMap(([kind, operation, text, tone]) => {
      const times = setting(name, kind)[operation];
      if (times === undefined) return [];
      const value = median(times);
      return [{ label: text, value, shown: `${value.toFixed(0)} ns`, tone }];
    }),
  });
  return chart({
    title: 'Time of an operation',
    groups: [
      group('Ten thousand entries', 'ten thousand', [
        ['bytes', 'lru-cache get', 'lru-cache get: a reference', 'other'],
        ['bytes', 'use', 'wasmcached use: a view', 'ours'],
        ['bytes', 'get', 'wasmcached get: a copy', 'ours'],
        ['strings', 'getText', 'wasmcached getText', 'ours'],
        ['bytes', 'lru-cache set, copied', 'lru-cache set of a copy', 'other'],
        ['bytes', 'set', 'wasmcached set', 'ours'],
      ]),
      group('A million entries, the key built in the loop', 'million', [
        ['bytes', 'lru-cache get, key built', 'lru-cache get: a reference', 'other'],
        ['bytes', 'get, key built', 'wasmcached get: a copy', 'ours'],
        ['strings', 'getText, key built', 'wasmcached getText', 'ours'],
      ]),
    ],
    note: 'Processor time, garbage collection included. Less is better.',
  });
}

function byKind(rows, field, shown) {
  const kinds = { bytes: 'Uint8Array values', strings: 'string values' };
  return Object.entries(kinds).map(([kind, label]) => ({
    label,
    bars: [...rows]
      .sort((a, b) => field(a[kind]) - field(b[kind]))
      .map((row) => ({
        label: row.name,
        value: field(row[kind]),
        shown: shown(field(row[kind])),
        tone: row.name === OURS ? 'ours' : 'other',
      })),
  }));
}
