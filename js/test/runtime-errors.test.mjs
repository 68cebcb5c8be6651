// Errors of runtimes in our words: each from a program that fails in that way.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const program = (before = '') => `
  ${before}
  import('wasmcached/protocol').then(({ Protocol }) => {
    try {
      console.log(new TextDecoder().decode(new Protocol().execute('mn\\r\\n')).trim());
    } catch (error) {
      console.log(error.name + ': ' + error.message + ' | cause: ' + error.cause?.name);
    }
  });`;
const node = (flags, before) => execFileSync(process.execPath, [...flags, '-e', program(before)], { cwd: root, encoding: 'utf8' });

test('nothing is wrong', () => assert.equal(node([]), 'MN\n'));

test('without WebAssembly', () => {
  assert.match(node(['--jitless']), /^Error: this runtime has no WebAssembly.*--jitless.*\| cause: ReferenceError/);
});

test('without randomness', () => {
  const answer = node([], "Object.defineProperty(globalThis, 'crypto', { value: undefined });");
  assert.match(answer, /^Error: this runtime has no crypto.getRandomValues.*define globalThis.crypto/);
});

test('under a limit of address space', { skip: process.platform !== 'linux' && 'ulimit -v is of Linux' }, () => {
  const limited = (flags) => {
    const command = `ulimit -v 4000000; exec "$0" ${flags} -e "$1"`;
    return spawnSync('bash', ['-c', command, process.execPath, program()], { cwd: root, encoding: 'utf8' }).stdout;
  };
  assert.match(limited(''), /^RangeError: this runtime grants no memory.*node --disable-wasm-trap-handler.*\| cause: RangeError/);
  assert.equal(limited('--disable-wasm-trap-handler'), 'MN\n');
});

test('where a policy forbids code', () => {
  // Node refuses as a page with a content security policy does.
  const answer = node([], "Object.defineProperty(WebAssembly, 'Module', { value: function () { throw new WebAssembly.CompileError("
    + "'WebAssembly.Module(): Compiling or instantiating WebAssembly module violates the following Content Security policy directive'); } });");
  assert.match(answer, /^Error: .*'wasm-unsafe-eval'/);
});

test('other errors are left alone', () => {
  const answer = node([], "globalThis.WebAssembly.Instance = function () { throw new TypeError('odd'); };");
  assert.equal(answer, 'TypeError: odd | cause: undefined\n');
});
