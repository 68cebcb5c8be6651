// The published package.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = (tool, ...flags) =>
  execFileSync(process.execPath, [join(root, 'node_modules', tool), ...flags], { cwd: root, encoding: 'utf8' });

test('publint finds nothing', () => assert.match(run('publint/src/cli.js', '--strict'), /All good/));

test('types resolve in every mode of TypeScript', () => {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  execFileSync(npm, ['run', '--silent', 'types'], { cwd: root, shell: process.platform === 'win32' });
});

test('npm and JSR have the same version and licence', () => {
  const [npm, jsr] = ['package.json', 'jsr.json'].map((file) => JSON.parse(readFileSync(join(root, file), 'utf8')));
  assert.deepEqual([jsr.version, jsr.license], [npm.version, npm.license]);
});

test('both licences are in the package', () => {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const flags = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const output = execFileSync(npm, flags, { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' });
  const [{ files }] = JSON.parse(output);
  const packed = new Set(files.map((file) => file.path));
  for (const file of ['LICENSE-APACHE', 'LICENSE-MIT']) {
    assert.ok(packed.has(file), `${file} is not packed`);
    assert.equal(readFileSync(join(root, file), 'utf8'), readFileSync(join(root, '..', file), 'utf8'));
  }
});

test('the engine of the cache imports nothing', () => {
  const module = new WebAssembly.Module(readFileSync(join(root, 'dist/store.wasm')));
  assert.deepEqual(WebAssembly.Module.imports(module), []);
});

test('the engine of the protocol imports its glue alone', () => {
  const module = new WebAssembly.Module(readFileSync(join(root, 'dist/protocol.wasm')));
  const imports = WebAssembly.Module.imports(module);
  assert.deepEqual([...new Set(imports.map((one) => one.module))], ['./engine_bg.js']);
  for (const { name } of imports) assert.match(name, /^__wb\w+(throw|externref_table)/);
});

test('the examples of the README run', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const examples = [...readme.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code);
  assert.ok(examples.length > 0);
  for (const code of examples) {
    const lines = code.split('\n').flatMap((line) => {
      const [, expression, expected] = /^(.+?); *\/\/ => (.+)$/.exec(line) ?? [];
      return expression === undefined ? [line] : [`assert.deepEqual(${expression}, ${expected});`];
    });
    const script = `import assert from 'node:assert/strict';\n${lines.join('\n')}`;
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: root, stdio: 'pipe' });
  }
});

test('bundled and minified it is one script that runs', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wasmcached-bundle-'));
  try {
    const source = "import { Cache } from 'wasmcached'; console.log(new Cache().set('a', 'ok').getText('a'));";
    const stdin = { contents: source, resolveDir: root };
    for (const [format, platform] of [['esm', 'browser'], ['iife', 'browser'], ['cjs', 'node']]) {
      const made = await build({ stdin, bundle: true, minify: true, format, platform, write: false });
      const file = join(folder, `bundle.${format === 'esm' ? 'mjs' : 'cjs'}`);
      writeFileSync(file, made.outputFiles[0].contents);
      assert.equal(execFileSync(process.execPath, [file], { encoding: 'utf8' }), 'ok\n');
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a program that imports but does not use it does not carry it', async () => {
  const stdin = { contents: "import { Cache } from 'wasmcached'; console.log(1);", resolveDir: root };
  const made = await build({ stdin, bundle: true, minify: true, format: 'esm', write: false });
  assert.ok(made.outputFiles[0].contents.length < 100, `${made.outputFiles[0].contents.length} bytes`);
});
