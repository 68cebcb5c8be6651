// Decodes the text of an engine, in WebAssembly: a loop in JavaScript runs in the interpreter the first time, and took longer
// than all the rest of the first `set`.

import { utf8 } from '../text.js';

/** An engine as text (`scripts/encoding.mjs`): a letter for each frequent byte, two letters for each other one. */
export interface EngineText {
  /** The length in bytes. */
  readonly length: number;
  /** The bytes that one letter stands for, in the order of the letters, then those of two letters. */
  readonly bytes: string;
  readonly letters: string;
  /** The letters that another one follows. */
  readonly escapes: string;
  readonly text: string;
}

interface DecoderExports {
  readonly memory: WebAssembly.Memory;
  decode(from: number, to: number, end: number, letters: number): void;
}

/** `scripts/decoder.wat`, assembled, in hexadecimal digits. */
const DECODER =
  '0061736d0100000001080160047f7f7f7f00030201000503010001071302066d656d6f72790200066465636f646500000a4a014801017f034020002d' +
  '00002d0080032104200020044100476a21002001200420036c20002d00002d0080026a2d00003a0000200041016a2100200141016a21012001200249' +
  '0d000b0b';

const LETTERS_AT = 256;
const ESCAPES_AT = 384;
const TEXT_AT = 512;
const PAGE_BYTES = 64 * 1024;

/** The bytes of an engine. They are all that keeps their memory. */
export function decode({ length, bytes, letters, escapes, text }: EngineText): Uint8Array<ArrayBuffer> {
  const decoder = new WebAssembly.Module(fromHex(DECODER));
  const { memory, decode: run } = new WebAssembly.Instance(decoder).exports as unknown as DecoderExports;
  const from = TEXT_AT;
  const to = from + text.length;
  memory.grow(Math.ceil((to + length) / PAGE_BYTES) - 1);
  const all = new Uint8Array(memory.buffer as ArrayBuffer);
  all.set(fromHex(bytes));
  for (let i = 0; i < letters.length; i++) all[LETTERS_AT + letters.charCodeAt(i)] = i;
  for (let i = 0; i < escapes.length; i++) all[ESCAPES_AT + escapes.charCodeAt(i)] = i + 1;
  utf8().encodeInto(text, all.subarray(from));
  run(from, to, to + length, letters.length);
  return all.subarray(to, to + length);
}

function fromHex(digits: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(digits.length / 2).map((_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}
