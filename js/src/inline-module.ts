// The engine as a part of the script, compiled at first use.

import { base64 } from './generated/base64.js';

let compiled: WebAssembly.Module | undefined;

/** The compiled engine; all caches share it. */
export function inlineModule(): WebAssembly.Module {
  return (compiled ??= new WebAssembly.Module(decode(base64)));
}

interface FromBase64 {
  fromBase64?: (text: string) => Uint8Array<ArrayBuffer>;
}

function decode(text: string): Uint8Array<ArrayBuffer> {
  const { fromBase64 } = Uint8Array as FromBase64;
  if (fromBase64 !== undefined) return fromBase64.call(Uint8Array, text);
  const { Buffer } = globalThis as { Buffer?: { from(text: string, encoding: string): Uint8Array<ArrayBuffer> } };
  if (Buffer !== undefined) return Buffer.from(text, 'base64');
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
