// The parts of the benchmark in their order, the bars that each gives, and where their tables and pictures go.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';

import { isMet, table } from './bars.mjs';
import { chromium, chromiumBars, measureChromium } from './browser.mjs';
import { OURS } from './contestant.mjs';
import { hitRatioBars, measureHitRatio } from './hit-ratio.mjs';
import { FLAT_NAMES, measureMemory, memoryBars } from './memory.mjs';
import { writeBlock } from './page.mjs';
import { collectionPicture, hitRatioPicture, memoryPicture, timePicture } from './pictures.mjs';
import { RUNTIME } from './processes.mjs';
import { measureStartup, startupBars } from './startup.mjs';
import { barTable, headlineTable, hitRatioTable, memoryTable, startupTable, timeTable, traceTable } from './tables.mjs';
import { measureTime, timeBars } from './time.mjs';
import { measureTrace, traceBars } from './trace.mjs';

const root = new URL('../../', import.meta.url);
const progress = (text) => console.error(`  ${text}`);

/** A part: `measure`, then `bars`, `table` and `pictures` of its result. `lacks` says why it cannot run. */
export const PARTS = {
  time: { measure: () => measureTime(progress), bars: timeBars, table: timeTable, pictures: { time: timePicture } },
  memory: {
    measure: ({ check, write }) => measureMemory(progress, check && !write ? { names: ['lru-cache', FLAT_NAMES[0], OURS] } : {}),
    bars: memoryBars,
    table: (result) => memoryTable(result, versions()),
    pictures: { memory: memoryPicture, collection: collectionPicture },
  },
  hits: {
    measure: async (flags, { memory }) => measureHitRatio(progress, await residentBytesOfLru(memory)),
    bars: hitRatioBars,
    table: hitRatioTable,
    pictures: { 'hit-ratio': hitRatioPicture },
  },
  startup: { measure: () => measureStartup(progress), bars: startupBars, table: startupTable },
  chromium: {
    lacks: () => chromium() === undefined && 'there is no Chromium; CHROMIUM=PATH names one',
    measure: () => measureChromium(progress, chromium()),
    bars: chromiumBars,
    table: timeTable,
  },
  trace: {
    lacks: ({ trace }) => trace === undefined && '--trace FILE names a trace',
    measure: ({ trace }) => measureTrace(progress, trace),
    bars: traceBars,
    table: traceTable,
  },
};

/** Runs the parts that the flags name; returns whether all bars that were measured are met. */
export async function run(flags) {
  const names = flags.only?.split(',') ?? Object.keys(PARTS);
  const unknown = names.find((name) => PARTS[name] === undefined);
  if (unknown !== undefined) throw new Error(`no part ${unknown}; there are ${Object.keys(PARTS).join(', ')}`);
  const [results, bars, skipped] = [{}, [], []];
  console.log(provenance(loadavg()[0]));
  for (const name of names) {
    const part = PARTS[name];
    const reason = part.lacks?.(flags);
    if (reason) {
      skipped.push(`${name}: not measured, ${reason}`);
      continue;
    }
    const load = loadavg()[0];
    results[name] = await part.measure(flags, results);
    bars.push(...part.bars(results[name]));
    const text = part.table(results[name]);
    console.log(`\n${name}\n\n${text}`);
    if (flags.write) writePart(name, `${provenance(load)}\n\n${text}\n\n${barTable(part.bars(results[name]))}`, results[name]);
  }
  if (flags.write) writeHeadline(results);
  console.log(`\n${table(bars)}`);
  for (const line of skipped) console.log(line);
  return !flags.check || bars.every(isMet);
}

/** Other runtimes than Node have blocks of their own, and no pictures. */
function writePart(name, text, result) {
  const isNode = RUNTIME.name === 'Node';
  const block = isNode ? name : `${name}, ${RUNTIME.name}`;
  if (writeBlock(root, block, text).length === 0) console.error(`  no page has a block for ${block}: nothing written`);
  for (const [picture, draw] of Object.entries((isNode && PARTS[name].pictures) || {})) {
    writeFileSync(new URL(`docs/images/js-${picture}.svg`, root), draw(result));
  }
}

function writeHeadline({ hits, memory, time }) {
  if (RUNTIME.name !== 'Node') return;
  if (hits === undefined || memory === undefined) {
    console.error('  the head of the READMEs needs the parts memory and hits of one run: not written');
    return;
  }
  writeBlock(root, 'headline', headlineTable({ hits, memory, time }, versions()['lru-cache']));
}

/** lru-cache's resident bytes an entry by form of the keys: from the part memory if it ran whole, else measured. */
async function residentBytesOfLru(memory) {
  const isWhole = memory?.rows.some((row) => row.name === FLAT_NAMES[0]);
  const { rows } = isWhole ? memory : await measureMemory(progress, { names: ['lru-cache', FLAT_NAMES[0]] });
  const of = (name) => {
    const { bytes, strings } = rows.find((row) => row.name === name);
    return { bytes: bytes.rss, strings: strings.rss };
  };
  return { built: of('lru-cache'), flat: of(FLAT_NAMES[0]) };
}

/** Date, commit, runtime, machine and load in one line. */
function provenance(load) {
  const date = `${new Date().toISOString().slice(0, 16)}Z`;
  const machine = `${availableParallelism()} cores, ${process.platform}-${process.arch}`;
  return `${date}, commit ${commit()}, ${RUNTIME.name} ${RUNTIME.version}, lru-cache ${versions()['lru-cache']}, ${machine}, load average ${load.toFixed(1)} at the start`;
}

function commit() {
  const git = (...words) => execFileSync('git', words, { cwd: root, encoding: 'utf8' }).trim();
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no', '--', 'core', 'wasm', 'js/src') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? ' with changes' : ''}`;
  } catch {
    return 'unknown';
  }
}

/** Versions of the libraries by name. */
function versions() {
  const lock = JSON.parse(readFileSync(new URL('libraries/package-lock.json', import.meta.url), 'utf8'));
  const names = Object.entries(lock.packages).filter(([path]) => path !== '');
  return Object.fromEntries(names.map(([path, { version }]) => [path.replace('node_modules/', ''), version]));
}
