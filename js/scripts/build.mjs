// Builds dist/ from src/ and the output of wasm-bindgen. `npm run build -- FOLDER` names the folder of that output;
// `cargo xtask js` runs this.

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const input = resolve(process.argv[2] ?? join(root, '../target/js'));
const generated = join(root, 'src/generated');
const dist = join(root, 'dist');
const features = ['bulk-memory', 'nontrapping-float-to-int', 'sign-ext', 'mutable-globals', 'multivalue'];
features.push('reference-types', 'simd');

if (!existsSync(join(input, 'engine_bg.wasm'))) {
  console.error(`no engine in ${input}; run \`cargo xtask js\``);
  process.exit(1);
}
for (const folder of [generated, dist]) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
}
optimize(join(input, 'engine_bg.wasm'), join(dist, 'engine.wasm'));
const wasm = readFileSync(join(dist, 'engine.wasm'));
refuseBuildPaths(wasm);
writeFileSync(join(generated, 'base64.ts'), `/** The engine. */\nexport const base64: string =\n  '${wasm.toString('base64')}';\n`);
writeFileSync(join(generated, 'engine.js'), glue(readFileSync(join(input, 'engine.js'), 'utf8')));
writeFileSync(join(generated, 'engine.d.ts'), types(readFileSync(join(input, 'engine.d.ts'), 'utf8')));
execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', root], { stdio: 'inherit' });
for (const file of ['engine.js', 'engine.d.ts']) cpSync(join(generated, file), join(dist, 'generated', file));
// npm packs no file outside the package's folder.
for (const file of ['LICENSE-APACHE', 'LICENSE-MIT']) cpSync(join(root, '..', file), join(root, file));
console.log(`engine.wasm: ${wasm.length} bytes, ${gzipSync(wasm, { level: 9 }).length} gzipped`);

/** Optimises the engine with Binaryen, which makes it a quarter smaller and faster; copies it if Binaryen is missing. */
function optimize(from, to) {
  const tool = join(root, 'node_modules/binaryen/bin/wasm-opt');
  if (!existsSync(tool)) {
    console.warn('Binaryen is not installed (npm ci): the engine is not optimised');
    cpSync(from, to);
    return;
  }
  const flags = features.map((feature) => `--enable-${feature}`);
  const strips = ['--strip-debug', '--strip-producers'];
  execFileSync(process.execPath, [tool, '-O3', ...strips, ...flags, from, '-o', to], { stdio: 'inherit' });
}

/** Fails if the file, which is published, contains a path of the build machine. */
function refuseBuildPaths(wasm) {
  const text = wasm.toString('latin1');
  const path = /(?:\/(?:home|root|usr|Users|tmp|build|work)\/|[A-Z]:\\)[\x20-\x7e]{3,}/.exec(text);
  if (path !== null) throw new Error(`engine.wasm tells where it was built: ${path[0].slice(0, 100)}`);
}

/**
 * wasm-bindgen's glue keeps one instance in variables of its module. Each cache needs an instance, so this turns the
 * glue into a function that makes one.
 */
function glue(text) {
  const ending = 'export { initSync, __wbg_init as default };';
  const classes = text.match(/^export class /gm) ?? [];
  if (!text.includes(ending) || classes.length !== 1 || text.includes('import.meta')) {
    throw new Error('the glue of wasm-bindgen has another form than scripts/build.mjs expects');
  }
  const body = text.replace(ending, 'return initSync({ module });').replace(/^export class /m, 'class ');
  return `export function instantiate(module) {\n${body}\n}\n`;
}

/** Keeps only the types of the exports. */
function types(text) {
  const exports = /export interface InitOutput \{[^}]*\}/.exec(text);
  if (exports === null) throw new Error('the types of wasm-bindgen have another form than scripts/build.mjs expects');
  return `${exports[0]}\n\nexport function instantiate(module: WebAssembly.Module): InitOutput;\n`;
}
