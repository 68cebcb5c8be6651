// An engine of the protocol that fails: the call throws once, and the next one has an empty engine. Also: engines that the
// program provides.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import binaryen from 'binaryen';
import { Protocol } from 'wasmcached/protocol';
import * as bare from 'wasmcached/protocol/bare';

const wasm = readFileSync(new URL('../dist/protocol.wasm', import.meta.url));
const text = (output) => new TextDecoder().decode(output);

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
  const uses = { advance: (protocol) => protocol.execute('version\r\n'), input: (protocol) => protocol.execute('version\r\n') };
  uses.open = (protocol) => protocol.connect();
  uses.open_internal = (protocol) => protocol.stats();
  for (const [verb, use] of Object.entries(uses)) {
    test(verb, () => {
      const protocol = new Protocol({ module: broken(`solo_${verb}`) });
      const connection = verb === 'open' ? undefined : protocol.connect();
      assert.throws(() => use(protocol), { message: /engine failed and is replaced by an empty one: unreachable/ });
      assert.ok(connection === undefined || connection.isClosed);
      if (verb === 'open_internal') assert.match(text(protocol.execute('version\r\n')), /^VERSION/);
      else assert.throws(() => use(protocol), /engine failed/);
    });
  }
});

suite('an engine from elsewhere', () => {
  test('none', () => assert.throws(() => new bare.Protocol().execute('version\r\n'), /await init\(fetch/));

  test('as an option', () => {
    const module = new WebAssembly.Module(wasm);
    assert.match(text(new bare.Protocol({ module }).execute('version\r\n')), /^VERSION/);
    assert.throws(() => new Protocol({ module: wasm }), /compiled WebAssembly.Module, not Uint8Array; compile bytes/);
  });

  for (const [name, make] of Object.entries({
    bytes: () => bare.initSync(wasm),
    module: () => bare.initSync(new WebAssembly.Module(wasm)),
    'bytes, later': () => bare.init(Promise.resolve(wasm)),
    response: () => bare.init(Promise.resolve(new Response(wasm))),
  })) {
    test(name, async () => {
      await make();
      assert.match(text(new bare.Protocol().execute('version\r\n')), /^VERSION/);
    });
  }
});
