// The sizes that users pay for. `npm run sizes` compares them with sizes.json, `npm run sizes -- --write` writes that file
// and the table of the README.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { dist, root } from './paths.mjs';

const FILE = join(root, 'sizes.json');
/** Growth that is not worth a look. */
const TOLERANCE = 1.02;

/** Limits in bytes, whatever sizes.json says. */
export const LIMITS = { tarball: 450_000, 'wasmcached, gzipped': 55_000, 'store.wasm, gzipped': 36_000, 'protocol.wasm, gzipped': 115_000 };

const BEGIN = '<!-- sizes: begin (npm run sizes -- --write) -->';
const END = '<!-- sizes: end -->';

const gzipped = (bytes) => gzipSync(bytes, { level: 9 }).length;

/** The size of a page's script that uses the entry, minified and gzipped. */
async function imported(entry, conditions) {
  const stdin = { contents: `import * as all from '${entry}'; globalThis.all = all;`, resolveDir: root };
  const flags = { bundle: true, minify: true, format: 'esm', write: false, external: ['*.wasm'], logLevel: 'warning' };
  const made = await build({ stdin, ...flags, ...(conditions && { conditions }) });
  return gzipped(made.outputFiles[0].contents);
}

/** Measures everything, in bytes. */
export async function measure() {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const flags = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const [packed] = JSON.parse(execFileSync(npm, flags, { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' }));
  const engine = (name) => readFileSync(join(dist, `${name}.wasm`));
  const workers = ['workerd', 'worker', 'browser'];
  return {
    tarball: packed.size,
    unpacked: packed.unpackedSize,
    'wasmcached, gzipped': await imported('wasmcached'),
    'wasmcached in a Worker, gzipped': (await imported('wasmcached', workers)) + gzipped(engine('store')),
    'wasmcached/protocol, gzipped': await imported('wasmcached/protocol'),
    'store.wasm, gzipped': gzipped(engine('store')),
    'protocol.wasm, gzipped': gzipped(engine('protocol')),
  };
}

/** Sizes beyond the recorded ones and the limits, in words. */
export function excess(sizes, recorded = JSON.parse(readFileSync(FILE, 'utf8'))) {
  return Object.entries(sizes).flatMap(([name, size]) => {
    const limit = LIMITS[name];
    if (limit !== undefined && size > limit) return [`${name} has ${size} bytes, ${limit} are the limit`];
    const before = recorded[name];
    if (before === undefined) return [`${name} is not in sizes.json; run \`npm run sizes -- --write\``];
    if (size <= before * TOLERANCE) return [];
    return [`${name} grew from ${before} to ${size} bytes; shrink it, or record it by \`npm run sizes -- --write\``];
  });
}

function write(sizes) {
  writeFileSync(FILE, `${JSON.stringify(sizes, undefined, 2)}\n`);
  const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
  const rows = Object.entries(sizes).map(([name, bytes]) => `| ${name} | ${kilobytes(bytes)} |`);
  const readme = join(root, 'README.md');
  const [head, rest] = readFileSync(readme, 'utf8').split(BEGIN);
  const tail = rest?.split(END)[1];
  if (tail === undefined) throw new Error(`README.md has no line ${BEGIN} or ${END}`);
  writeFileSync(readme, `${head}${BEGIN}\n${['| size | |', '|---|---|', ...rows].join('\n')}\n${END}${tail}`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const sizes = await measure();
  if (process.argv.includes('--write')) write(sizes);
  const grown = excess(sizes);
  console.log(JSON.stringify(sizes, undefined, 2));
  for (const line of grown) console.error(line);
  process.exitCode = grown.length === 0 ? 0 : 1;
}
