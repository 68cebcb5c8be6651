// The engines: optimised modules, their texts for scripts, and the glue of wasm-bindgen.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { encode } from './encoding.mjs';
import { dist, generated, modules } from './paths.mjs';

/** Inlines what is about as long as its call: the compiler was told to write the smallest code (decision 0083). */
const SMALL = ['-O3', '--always-inline-max-function-size', '15'];

/** Each engine: its name in the package, and the file that the build of the guest leaves. */
const ENGINES = [
  { name: 'store', file: 'store.wasm', levels: ['-O3'] },
  { name: 'protocol', file: 'engine_bg.wasm', levels: SMALL },
];

const FEATURES = ['bulk-memory', 'nontrapping-float-to-int', 'sign-ext', 'mutable-globals', 'multivalue', 'reference-types', 'simd'];

/** Builds every engine; returns the name of each one's global by the engine's name. */
export function buildEngines(input) {
  mkdirSync(join(dist, 'data'));
  // A text is a script and a CommonJS module at once, so that `import` and `require` share one file.
  writeFileSync(join(dist, 'data/package.json'), '{ "type": "commonjs" }\n');
  const globals = {};
  for (const { name, file, levels } of ENGINES) {
    const from = join(input, file);
    if (!existsSync(from)) throw new Error(`no engine ${from}; run \`cargo xtask js\``);
    const to = join(dist, `${name}.wasm`);
    optimize(from, to, levels);
    const wasm = readFileSync(to);
    refuseBuildPaths(wasm, name);
    globals[name] = `wasmcached ${name} ${createHash('sha256').update(wasm).digest('hex').slice(0, 16)}`;
    writeFileSync(join(dist, `data/${name}.js`), script(globals[name], encode(wasm)));
    console.log(`${name}.wasm: ${wasm.length} bytes, ${gzipSync(wasm, { level: 9 }).length} gzipped`);
  }
  writeGlue(generated, readFileSync(join(dist, 'protocol.wasm')), input);
  return globals;
}

/** Writes `engine.js` and its types into a folder: the glue of this optimised engine, whose declarations `input` has. */
export function writeGlue(folder, wasm, input) {
  writeFileSync(join(folder, 'engine.js'), glue(wasm));
  writeFileSync(join(folder, 'engine.d.ts'), types(readFileSync(join(input, 'engine.d.ts'), 'utf8')));
}

/** Registers a text under a name with the engine's digest: two versions of the package do not meet. */
const script = (name, { text, ...table }) =>
  `globalThis[Symbol.for(${JSON.stringify(name)})] = {\n` +
  Object.entries(table).map(([key, value]) => `  ${key}: ${JSON.stringify(value)},\n`).join('') +
  `  text: '${text}',\n};\n`;

/** Optimises with Binaryen, which makes an engine a quarter smaller and faster; copies it if Binaryen is missing. */
export function optimize(from, to, levels = SMALL) {
  const tool = join(modules, 'binaryen/bin/wasm-opt');
  if (!existsSync(tool)) {
    console.warn('Binaryen is not installed (npm ci): the engine is not optimised');
    cpSync(from, to);
    return;
  }
  const flags = FEATURES.map((feature) => `--enable-${feature}`);
  const strips = ['--strip-debug', '--strip-producers'];
  execFileSync(process.execPath, [tool, ...levels, ...strips, ...flags, from, '-o', to], { stdio: 'inherit' });
}

/** Fails if the file, which is published, contains a path of the build machine. */
function refuseBuildPaths(wasm, name) {
  const text = wasm.toString('latin1');
  const path = /(?:\/(?:home|root|usr|Users|tmp|build|work)\/|[A-Z]:\\)[\x20-\x7e]{3,}/.exec(text);
  if (path !== null) throw new Error(`${name}.wasm tells where it was built: ${path[0].slice(0, 100)}`);
}

/**
 * A function that makes an instance. wasm-bindgen's own glue keeps one instance in variables of its module, asks `instanceof`,
 * which is false for a module of another realm, and wants a TextDecoder, which jest's jsdom has not.
 */
function glue(wasm) {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(wasm));
  const from = [...new Set(imports.map(({ module }) => module))];
  const names = { __wbg___wbindgen_throw: THROW, __wbindgen_init_externref_table: EXTERNREFS };
  const functions = imports.map(({ name }) => {
    const body = names[name.replace(/_[0-9a-f]{16}$/, '')];
    if (body === undefined) throw new Error(`the engine imports ${name}, which scripts/engines.mjs does not know`);
    return `${name}: ${body}`;
  });
  return `export function instantiate(module) {
  const imports = { ${JSON.stringify(from[0])}: { ${functions.join(', ')} } };
  const { exports } = new WebAssembly.Instance(module, imports);
  exports.__wbindgen_start();
  return exports;
}
`;
}

/** Throws the text of a panic, which is ASCII. */
const THROW = '(at, length) => { throw new Error(String.fromCharCode(...new Uint8Array(exports.memory.buffer, at >>> 0, length >>> 0))); }';
/** Fills the table of JavaScript values, which the engine does not use. */
const EXTERNREFS = '() => {}';

/** Keeps only the types of the exports. */
function types(text) {
  const exports = /export interface InitOutput \{[^}]*\}/.exec(text);
  if (exports === null) throw new Error('the types of wasm-bindgen have another form than scripts/engines.mjs expects');
  return `${exports[0]}\n\nexport function instantiate(module: WebAssembly.Module): InitOutput;\n`;
}
