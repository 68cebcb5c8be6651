// `node matrix/run.mjs [ROW …]`: packs the package, tries it in every row, and writes the results. `--quick` runs the rows
// that fit into the ordinary tests, `--readme` writes the table of a whole run into the README, `--list` names the rows.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ANSWER } from './probe.mjs';
import { stopAll } from './process.mjs';
import { install, rowFiles } from './project.mjs';
import { writeTable } from './table.mjs';
import { Unavailable, cache, installAll, js } from './tools.mjs';

/** A row that takes longer has failed. Installation of its tools is bounded apart. */
const ROW_MS = 420_000;

const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const flags = new Set(process.argv.slice(2).filter((argument) => argument.startsWith('--')));
const all = [];
for (const file of rowFiles()) all.push(...(await import(`./rows/${file}`)).rows);
const wrong = names.find((name) => all.every(({ id }) => id !== name));
if (flags.has('--list') || wrong !== undefined) {
  if (wrong !== undefined) console.error(`no row of the matrix is called ${wrong}`);
  for (const { id, title, parts } of all) console.log(`${id.padEnd(18)} ${title}: ${parts.join(', ')}`);
  process.exit(wrong === undefined ? 0 : 1);
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void stopAll().then(() => process.exit(1)));

const chosen = all.filter(({ id, isQuick }) => (names.length > 0 ? names.includes(id) : isQuick || !flags.has('--quick')));
// Commits may follow while rows run.
const stamp = { date: new Date().toISOString().slice(0, 10), commit: commitOf('src', 'scripts', 'package.json') };
const size = await install();
console.log(`the tarball has ${size} bytes`);
await installAll(['node24', ...chosen.flatMap(({ tools = [] }) => tools)]);
const results = [];
for (const row of chosen) results.push(await run(row));
report(results);

/** Runs a row: every part has an answer, a failure, or a reason why it could not be tried. */
async function run(row) {
  const answers = {};
  const started = performance.now();
  const part = async (name, work, expected = ANSWER) => {
    try {
      const answer = await work();
      if (!answer.includes(expected)) throw new Error(`the answer is ${answer.trim().slice(-2000) || 'empty'}`);
      answers[name] = { state: 'answers' };
    } catch (error) {
      if (error instanceof Unavailable) answers[name] = { state: 'not available', reason: error.message };
      else answers[name] = { state: 'fails', reason: error.message };
    }
  };
  let rest;
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the row takes more than ${ROW_MS / 1000} s`)), ROW_MS);
  });
  let version = '';
  try {
    version = await row.version();
    await Promise.race([row.run({ part }), late]);
  } catch (error) {
    rest = { state: error instanceof Unavailable ? 'not available' : 'fails', reason: error.message };
  }
  clearTimeout(timer);
  await stopAll();
  // Parts may end in any order.
  const parts = {};
  for (const name of row.parts) parts[name] = answers[name] ?? rest ?? { state: 'fails', reason: 'the row did not try it' };
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  for (const [name, { state, reason = '' }] of Object.entries(parts)) {
    const mark = { answers: '✔', fails: '✖', 'not available': '–' }[state];
    console.log(`${mark} ${row.title} ${version}: ${name}${reason === '' ? '' : ` ${state}: ${reason}`}`);
  }
  console.log(`  ${row.id}: ${seconds} s`);
  return { id: row.id, title: row.title, version, seconds, parts };
}

/** The commit, and whether these paths differ from it. */
function commitOf(...paths) {
  const git = (...command) => execFileSync('git', command, { cwd: js, encoding: 'utf8' }).trim();
  const isClean = git('status', '--porcelain', '--', ...paths) === '';
  return git('rev-parse', '--short=10', 'HEAD') + (isClean ? '' : ' with changes');
}

/** Writes the results and the sum, in the words of Node's test runner. */
function report(rows) {
  const file = join(cache, 'results.json');
  const before = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).rows : [];
  const merged = all.map(({ id }) => rows.find((row) => row.id === id) ?? before.find((row) => row.id === id)).filter(Boolean);
  const stamped = merged.map((row) => (rows.includes(row) ? { ...row, ...stamp } : row));
  mkdirSync(cache, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ rows: stamped }, undefined, 2)}\n`);
  if (flags.has('--readme')) writeTable(stamped);
  const states = rows.flatMap(({ parts }) => Object.values(parts).map(({ state }) => state));
  const count = (state) => states.filter((one) => one === state).length;
  console.log(`ℹ pass ${count('answers')}\nℹ fail ${count('fails')}\nℹ not available ${count('not available')}`);
  process.exitCode = count('fails') > 0 || count('answers') === 0 ? 1 : 0;
}
