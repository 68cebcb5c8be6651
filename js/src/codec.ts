// Codecs: how values of other types are kept as bytes.

import { bytesOf, describe, type BytesLike } from './bytes.js';
import { utf8 } from './text.js';

/** Keeps values as bytes. `decode` gets a copy, which it may keep. */
export interface BytesCodec<V> {
  encode(value: V): BytesLike;
  decode(bytes: Uint8Array): V;
}

/** Keeps values as text, as `JSON`, superjson and devalue do. */
export interface TextCodec<V> {
  stringify(value: V): string;
  parse(text: string): V;
}

/** A codec of the caller's, or the name of one: JSON, text, or the structured clones of `node:v8`. */
export type Codec<V> = 'json' | 'text' | 'v8' | BytesCodec<V> | TextCodec<V>;

/** A codec whose errors say what to do. */
export interface CheckedCodec<V> {
  encode(value: V): BytesLike;
  decode(bytes: Uint8Array): V;
  /** Decodes text, if values are kept as text: reading text is faster than reading bytes. */
  readonly parse?: (text: string) => V;
}

interface V8 {
  serialize(value: unknown): Uint8Array;
  deserialize(bytes: Uint8Array): unknown;
}

/** The codec that is meant. */
export function codecOf<V>(codec: Codec<V>): CheckedCodec<V> {
  if (codec === 'json') return ofText<V>('JSON', { stringify: toJson, parse: (text) => JSON.parse(text) as V });
  if (codec === 'text') return ofText<V>('text', { stringify: onlyText, parse: (text) => text as V });
  if (codec === 'v8') return ofV8();
  if (isCodec<TextCodec<V>>(codec, 'stringify', 'parse')) return ofText('a text for this codec', codec);
  if (isCodec<BytesCodec<V>>(codec, 'encode', 'decode')) return ofBytes('a value for this codec', codec);
  throw new TypeError("as takes 'json', 'text', 'v8', an object with encode and decode, or one with stringify and parse");
}

function ofText<V>(name: string, { stringify, parse }: TextCodec<V>): CheckedCodec<V> {
  const read = (text: string): V => checked(() => parse(text), `the stored value is not ${name}`);
  return {
    encode: (value) => checkedText(checked(() => stringify(defined(value)), `this value cannot be stored as ${name}`)),
    decode: (bytes) => read(utf8().decode(bytes)),
    parse: read,
  };
}

function ofBytes<V>(name: string, codec: BytesCodec<V>): CheckedCodec<V> {
  return {
    encode: (value) => bytesOf(checked(() => codec.encode(defined(value)), `this value cannot be stored as ${name}`), 'an encoded value'),
    decode: (bytes) => checked(() => codec.decode(bytes), `the stored value is not ${name}`),
  };
}

function ofV8<V>(): CheckedCodec<V> {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => V8 | undefined } };
  const v8 = works(() => process?.getBuiltinModule?.('node:v8'));
  if (v8 === undefined) {
    throw new Error(
      "this runtime has no node:v8 at hand; use as('json'), or import { serialize, deserialize } from 'node:v8' and use " +
        'as({ encode: serialize, decode: deserialize })',
    );
  }
  // Typed arrays in the value would share the buffer that small copies share.
  return ofBytes('a structured clone', { encode: (value) => v8.serialize(value), decode: (bytes) => v8.deserialize(bytes.slice()) as V });
}

/** The module, if it does what it says: some runtimes have it in name only. */
function works(find: () => V8 | undefined): V8 | undefined {
  try {
    const v8 = find();
    return v8?.deserialize(v8.serialize(1)) === 1 ? v8 : undefined;
  } catch {
    return undefined;
  }
}

function isCodec<C extends object>(codec: unknown, ...methods: (keyof C)[]): codec is C {
  const has = (method: keyof C): boolean => typeof (codec as C)[method] === 'function';
  return (typeof codec === 'object' || typeof codec === 'function') && codec !== null && methods.every(has);
}

function toJson(value: unknown): string {
  if (typeof (value as { then?: unknown } | null)?.then === 'function') throw new TypeError('it is a promise; await it first');
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError(`JSON has no ${typeof value}`);
  return text;
}

function onlyText(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(`it is ${describe(value)}, no string`);
  return value;
}

function defined<V>(value: V): V {
  if (value === undefined) throw new TypeError('undefined is what `get` returns without an entry; delete the key, or use null');
  return value;
}

function checkedText(text: string): string {
  if (typeof text !== 'string') throw new TypeError(`stringify of this codec returns ${describe(text)}; return a string`);
  return text;
}

/** Calls `work`; its error follows `problem`. */
function checked<T>(work: () => T, problem: string): T {
  try {
    return work();
  } catch (error) {
    const reason = (error as Error | undefined)?.message ?? String(error);
    const advice = problem.startsWith('this') ? 'change it, or choose another codec' : 'read it with the codec that it was stored with';
    throw new TypeError(`${problem}: ${reason}; ${advice}`, { cause: error });
  }
}
