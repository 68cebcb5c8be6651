// Engines as text, and how entries get their module.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { createContext, runInContext } from 'node:vm';
import binaryen from 'binaryen';
import { encode } from '../scripts/encoding.mjs';
import { Cache, init, initSync } from 'wasmcached/bare';

const engine = (name) => readFileSync(new URL(`../dist/${name}.wasm`, import.meta.url));
const wasm = engine('store');

/** The bytes of a text, by a reader of its own. */
function plainly({ bytes, letters, escapes, text }) {
  const order = Buffer.from(bytes, 'hex');
  const result = [];
  for (let i = 0; i < text.length; i++) {
    const page = escapes.indexOf(text[i]) + 1;
    if (page > 0) i++;
    result.push(order[page * letters.length + letters.indexOf(text[i])]);
  }
  return Buffer.from(result);
}

for (const name of ['store', 'protocol']) {
  test(`the engine ${name} in a script is the engine beside it`, () => {
    createRequire(import.meta.url)(`../dist/data/${name}.js`);
    const texts = Object.getOwnPropertySymbols(globalThis).filter(({ description }) => description?.startsWith(`wasmcached ${name} `));
    assert.equal(texts.length, 1);
    assert.ok(plainly(globalThis[texts[0]]).equals(engine(name)));
  });
}

test('the decoder is its source, assembled', () => {
  const source = readFileSync(new URL('../scripts/decoder.wat', import.meta.url), 'utf8');
  const assembled = Buffer.from(binaryen.parseText(source).emitBinary()).toString('hex');
  const written = readFileSync(new URL('../src/entry/decoder.ts', import.meta.url), 'utf8').match(/DECODER =([^;]*);/)[1];
  assert.equal(written.replace(/[^0-9a-f]/g, ''), assembled);
});

test('every byte has a text of its own, of plain letters', () => {
  for (const bytes of [Buffer.from(Array.from({ length: 256 }, (_, i) => i)), Buffer.alloc(0), Buffer.alloc(9, 255), wasm]) {
    const encoded = encode(bytes);
    assert.match(encoded.text, /^[ -~]*$/);
    assert.doesNotMatch(encoded.text, /['"`\\$<]/);
    assert.ok(plainly(encoded).equals(bytes));
  }
});

test('an engine is a module, bytes or a response, of any realm', async () => {
  const works = () => assert.equal(new Cache().set('a', 'b').getText('a'), 'b');
  assert.throws(() => new Cache().set('a', 'b'), /await init\(fetch\(url of wasmcached\/store\.wasm\)\) first/);
  const context = createContext({ wasm });
  const foreign = [runInContext('new WebAssembly.Module(wasm)', context), runInContext('new Uint8Array(wasm).buffer', context)];
  assert.ok(!(foreign[0] instanceof WebAssembly.Module) && !(foreign[1] instanceof ArrayBuffer));
  for (const source of [new WebAssembly.Module(wasm), wasm, wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.length), ...foreign]) {
    initSync(source);
    works();
    await init(Promise.resolve(source));
    works();
  }
  await init(new Response(wasm));
  works();
});

test('a wrong engine is refused with advice', async () => {
  await assert.rejects(init(new Response('', { status: 404 })), /could not be fetched: 404/);
  await assert.rejects(init(undefined), /a WebAssembly.Module, its bytes or a Response, not undefined/);
  await assert.rejects(init(new Uint8Array([1, 2])), /these 2 bytes are no WebAssembly module/);
  await assert.rejects(init(new Response('<html>')), /no WebAssembly module.*a page instead/);
  assert.throws(() => initSync('store.wasm'), /or its bytes, not store.wasm/);
  assert.throws(() => initSync(wasm.subarray(0, 2)), /these 2 bytes are no WebAssembly module/);
  assert.throws(() => initSync(wasm.subarray(0, 2000)), /does not compile the engine.*wasm-unsafe-eval/);
});
