// Time of operations beside lru-cache (`max`) in one process: ten thousand entries that fit the processor's cache, and a
// million that do not.

import { median, ratio } from './measure.mjs';
import { inProcess } from './processes.mjs';

/** Ten thousand entries. */
export const HOT = { count: 10_000, steps: 49, rounds: 25 };
const MILLION = { count: 1_000_000, steps: 98, rounds: 15 };

/** Names of the operations as the tables show them: ours, lru-cache's, and the bars of ten thousand and a million. */
const PAIRS = {
  bytes: [
    ['has', 'get', 2.8],
    ['has, by handle', 'get', 2],
    ['use', 'get', 3],
    ['getInto', 'get'],
    ['get', 'get', 5.5, 2],
    ['get, by handle', 'get'],
    ['get, key built', 'get, key built', undefined, 0.8],
    ['getMany of 64', 'get'],
    ['set', 'set', 4, 1.3],
    ['set', 'set, copied', 0.5],
  ],
  strings: [
    ['getText', 'get', 6, 1.9],
    ['getText, key built', 'get, key built', undefined, 0.8],
    ['set', 'set'],
  ],
};
const BATCH_NS_MAX = 110;

/** All settings, a process each. */
export async function measureTime(progress) {
  const settings = [];
  for (const [name, setting] of Object.entries({ 'ten thousand': HOT, million: MILLION })) {
    for (const kind of ['bytes', 'strings']) {
      progress(`time: ${name}, ${kind}`);
      settings.push({ name, kind, times: await inProcess('time', { ...setting, kind }) });
    }
  }
  return { settings };
}

/** Pairs of a setting with their ratio; an operation that was not measured is left out. */
export function pairs({ name, kind, times }) {
  return PAIRS[kind]
    .map(([ours, theirs, hot, million]) => ({ ours, theirs: `lru-cache ${theirs}`, most: name === 'million' ? million : hot }))
    .filter((pair) => times[pair.ours] !== undefined && times[pair.theirs] !== undefined)
    .map((pair) => ({ ...pair, value: ratio(times[pair.ours], times[pair.theirs]) }));
}

/** The bars of time. One whose operation is missing has no value and fails. */
export function timeBars({ settings }) {
  const bars = settings.flatMap((setting) =>
    PAIRS[setting.kind].flatMap(([ours, theirs, hot, million]) => {
      const most = setting.name === 'million' ? million : hot;
      if (most === undefined) return [];
      const pair = pairs(setting).find((one) => one.ours === ours && one.theirs === `lru-cache ${theirs}`);
      return [{ name: `${setting.name}, ${setting.kind}: ${ours} to lru-cache ${theirs}`, value: pair?.value, most }];
    }),
  );
  const [{ times }] = settings;
  const batch = times['getMany of 64'];
  return [...bars, { name: 'getMany of 64, a key', value: batch && median(batch), most: BATCH_NS_MAX, unit: 'ns' }];
}
