// An engine that fails: the cache throws once and is empty afterwards. Also: engines that the program provides.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import binaryen from 'binaryen';
import { Cache } from 'wasmcached';
import * as bare from 'wasmcached/bare';

const wasm = readFileSync(new URL('../dist/protocol.wasm', import.meta.url));

/** The engine with one of its exports replaced by a trap. */
function broken(verb) {
  const module = binaryen.readBinary(wasm);
  const { MutableGlobals, NontrappingFPToInt, SIMD128, BulkMemory, SignExt, ReferenceTypes, Multivalue } = binaryen.Features;
  module.setFeatures(
    MutableGlobals | NontrappingFPToInt | SIMD128 | BulkMemory | SignExt | ReferenceTypes | Multivalue,
  );
  const name = binaryen.getExportInfo(module.getExport(verb)).value;
  binaryen.Function.setBody(module.getFunction(name), module.unreachable());
  return new WebAssembly.Module(module.emitBinary());
}

suite('an engine that fails', () => {
  const uses = { get: (cache) => cache.get('a'), set: (cache) => cache.set('a', '2') };
  uses.delete = (cache) => cache.delete('a');
  uses.touch = (cache) => cache.touch('a');
  uses.advance = (cache) => cache.execute('version\r\n');
  for (const [verb, use] of Object.entries(uses)) {
    test(verb, () => {
      const cache = new Cache({ module: broken(`solo_${verb}`) });
      if (verb !== 'set') cache.set('a', '1');
      const connection = cache.connect();
      assert.throws(() => use(cache), { message: /engine failed and is replaced by an empty one: unreachable/ });
      assert.equal(connection.isClosed, true);
      if (verb !== 'get') assert.equal(cache.has('a'), false);
      if (verb !== 'set') assert.equal(cache.set('b', '2'), cache);
    });
  }
});

suite('an engine from elsewhere', () => {
  test('none', () => assert.throws(() => new bare.Cache().get('a'), /await init\(fetch/));

  test('as an option', () => {
    assert.equal(new bare.Cache({ module: new WebAssembly.Module(wasm) }).set('a', '1').getText('a'), '1');
  });

  for (const [name, make] of Object.entries({
    bytes: () => bare.initSync(wasm),
    module: () => bare.initSync(new WebAssembly.Module(wasm)),
    'bytes, later': () => bare.init(Promise.resolve(wasm)),
    response: () => bare.init(Promise.resolve(new Response(wasm))),
  })) {
    test(name, async () => {
      await make();
      assert.equal(new bare.Cache().set('a', '1').getText('a'), '1');
    });
  }

  test('a response without an engine', async () => {
    await assert.rejects(bare.init(new Response('', { status: 404 })), /could not be fetched: 404/);
  });
});
