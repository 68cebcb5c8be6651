// The tables of `docs/reference/javascript.md` and of the READMEs, from the results of the parts.

import { isMet, limit, shown } from './bars.mjs';
import { OURS } from './contestant.mjs';
import { median, ratio } from './measure.mjs';
import { FLAT_NAMES } from './memory.mjs';
import { markdown } from './page.mjs';
import { pairs } from './time.mjs';

const percent = (value) => `${(100 * value).toFixed(1)} %`;
const whole = (value) => value.toFixed(0);
const short = (value) => (value < 10 ? value.toFixed(1) : value.toFixed(0));

/** The first table that a reader meets; needs the parts hit ratio and memory, and shows times if they were measured as well. */
export function headlineTable({ hits, memory, time }, version) {
  const [first] = hits.rows;
  const of = (name) => memory.rows.find((row) => row.name === name);
  const [ours, theirs] = [of(OURS), of('lru-cache')];
  const two = (field, text) => `${text(theirs.bytes[field])} / ${text(theirs.strings[field])}`;
  const mine = (field, text) => `${text(ours.bytes[field])} / ${text(ours.strings[field])}`;
  const flat = of(FLAT_NAMES[0]);
  const flatHits = ['bytes', 'strings'].map((kind) => percent(first[`lru ${kind}, flat keys`].hitRatio)).join(' / ');
  return markdown(
    ['20-byte keys, 100-byte values: bytes / strings', `lru-cache ${version}`, 'wasmcached'],
    [
      [
        `**hit ratio in ${first.mib} MiB of resident memory** (a million keys, Zipf ${first.exponent})`,
        `${percent(first['lru bytes'].hitRatio)} / ${percent(first['lru strings'].hitRatio)}`,
        `**${percent(first.ours.hitRatio)}**`,
      ],
      ['the same, with keys that V8 holds in the least memory', flatHits, `**${percent(first.ours.hitRatio)}**`],
      ['resident bytes an entry, a million entries', two('rss', whole), `**${mine('rss', whole)}**`],
      ['the same, with such keys', `${whole(flat.bytes.rss)} / ${whole(flat.strings.rss)}`, `**${mine('rss', whole)}**`],
      ['full garbage collection with them, ms', two('gcMs', short), `**${mine('gcMs', short)}**`],
      ...(time === undefined ? [] : timeRows(time)),
    ],
  );
}

function timeRows(time) {
  const times = (name, kind) => time.settings.find((one) => one.name === name && one.kind === kind).times;
  const [hot, many] = [times('ten thousand', 'bytes'), times('million', 'bytes')];
  const hotText = times('ten thousand', 'strings');
  const ns = (all) => whole(median(all));
  return [
    ['`get` with a key built in the loop, a million entries, ns', ns(many['lru-cache get, key built']), ns(many['get, key built'])],
    ['`set` of a copy, ten thousand entries, ns', ns(hot['lru-cache set, copied']), ns(hot.set)],
    ['`get` of ten thousand entries, ns', `**${ns(hot['lru-cache get'])}** / **${ns(hotText['lru-cache get'])}** (a reference)`, `${ns(hot.get)} / ${ns(hotText.getText)} (a copy)`],
  ];
}

/** Bars, with what was measured. */
export function barTable(bars) {
  return markdown(
    ['bar', '', 'measured', ''],
    bars.map((bar) => [bar.name, limit(bar), shown(bar), isMet(bar) ? 'met' : '**missed**']),
  );
}

/** Hit ratios for the same memory. */
export function hitRatioTable({ rss, rows }) {
  const lru = ({ count, hitRatio, held }) => [percent(hitRatio), String(count), mib(held)];
  const [first] = rows;
  const flat = ['bytes', 'strings'].map((kind) => percent(first[`lru ${kind}, flat keys`].hitRatio)).join(' and ');
  return [
    `lru-cache has as many entries as its resident bytes an entry allow: ${whole(rss.built.bytes)} with bytes, ${whole(rss.built.strings)} with strings.`,
    'The columns `held` are the resident MiB by which the process grew during the replay.',
    `With flat keys, its best case (${whole(rss.flat.bytes)} and ${whole(rss.flat.strings)} bytes), lru-cache has ${flat} in the first row.`,
    '',
    markdown(
      ['memory, load', 'lru-cache, bytes', 'entries', 'held', 'lru-cache, strings', 'entries', 'held', 'exact LRU of our item size', 'wasmcached', 'held'],
      rows.map((row) => [
        `${row.mib} MiB, Zipf ${row.exponent}`,
        ...lru(row['lru bytes']),
        ...lru(row['lru strings']),
        percent(row.exact.hitRatio),
        `**${percent(row.ours.hitRatio)}**`,
        mib(row.ours.held),
      ]),
    ),
  ].join('\n');
}

/** Memory and collections of all libraries. */
export function memoryTable({ rows }, versions) {
  const cells = ({ rss, heap, gcMs }) => [whole(rss), whole(heap), short(gcMs)];
  return markdown(
    ['', 'bytes: resident', 'JS heap', 'full collection ms', 'strings: resident', 'JS heap', 'full collection ms'],
    rows.map((row) => [named(row.name, versions), ...cells(row.bytes), ...cells(row.strings)]),
  );
}

/** Times of one runtime: ours, lru-cache's, and the median ratio of the rounds. */
export function timeTable({ settings }) {
  const rows = settings.flatMap((setting) =>
    pairs(setting).map(({ ours, theirs, value }) => {
      const [mine, other] = [setting.times[ours], setting.times[theirs]];
      return [`${setting.name}, ${setting.kind}: \`${ours}\``, whole(median(mine)), theirs, whole(median(other)), value.toFixed(2)];
    }),
  );
  const [{ times }] = settings;
  const steady = `A \`Map\` of references beside them: get ${whole(median(times['Map get']))} ns, set ${whole(median(times['Map set']))} ns; lru-cache's get is ${ratio(times['lru-cache get'], times['Map get']).toFixed(2)} of the former.`;
  return `${markdown(['entries, values: operation', 'ns', 'beside', 'ns', 'ratio'], rows)}\n\n${steady}`;
}

/** Hit ratios on a trace. */
export function traceTable({ trace, requests, footprint, rows }) {
  return [
    `${trace}: ${requests} requests, all items together ${mib(footprint)} MiB.`,
    '',
    markdown(
      ['memory', 'MiB', 'exact LRU', 'wasmcached'],
      rows.map((row) => [`${100 * row.part} %`, mib(row.budget), percent(row.exact), percent(row.ours)]),
    ),
  ].join('\n');
}

/** Times of start. */
export function startupTable({ import: imported, set, thousandth, empty }) {
  return markdown(
    ['', 'third best of 8'],
    [
      ['import', `${imported.toFixed(1)} ms`],
      ['first `new Cache` and `set` after it', `${set.toFixed(1)} ms`],
      ['`new Cache` and `has`, the thousandth of a process', `${thousandth.toFixed(2)} ms`],
      ['resident bytes of an empty cache', whole(empty)],
    ],
  );
}

function mib(bytes) {
  return (bytes / 1024 / 1024).toFixed(2);
}

function named(name, versions) {
  const version = versions[name.split(/, | /)[0]];
  const full = version === undefined ? name : `${name} (${version})`;
  return name === OURS ? `**${name}**` : full;
}
