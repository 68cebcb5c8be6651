// A cache with the interface of a Workers KV namespace: as a first level before the real one, or in its place in tests.
// Limits, errors and order are those of Workers KV.

import { backing, textKeys, type Backing, type Global } from './backing.js';

/** How {@link KvNamespace.get} returns a value. */
export type KvType = 'text' | 'json' | 'arrayBuffer' | 'stream';

/** Options of {@link KvNamespace.get}. */
export interface KvGetOptions {
  type?: KvType;
  /** At least 30, and without effect: there is no cache before this one. */
  cacheTtl?: number;
}

/** Options of {@link KvNamespace.put}; times are in seconds. */
export interface KvPutOptions {
  /** The end of the value in seconds since 1970, at least 60 seconds from now. */
  expiration?: number;
  /** Time to live in seconds, at least 60. */
  expirationTtl?: number;
  /** A value with at most 1024 bytes of JSON. */
  metadata?: unknown;
}

/** Options of {@link KvNamespace.list}. */
export interface KvListOptions {
  prefix?: string | null;
  /** 1 to 1000. */
  limit?: number;
  cursor?: string | null;
}

/** A key in a {@link KvList}. */
export interface KvListKey {
  name: string;
  expiration?: number;
  metadata?: any;
}

/** A page of keys. */
export type KvList =
  | { keys: KvListKey[]; list_complete: true; cacheStatus: string | null }
  | { keys: KvListKey[]; list_complete: false; cursor: string; cacheStatus: string | null };

/** A value with what was stored beside it. */
export interface KvValueWithMetadata {
  value: any;
  metadata: any;
  cacheStatus: string | null;
}

/** A value with the fields that are stored before its bytes. */
interface KvRecord {
  expiration: number | undefined;
  metadata: string | undefined;
  bytes: Uint8Array;
}

const KEY_BYTES_MAX = 512;
const METADATA_BYTES_MAX = 1024;
const VALUE_BYTES_MAX = 25 * 1024 * 1024;
const TTL_SECONDS_MIN = 60;
const CACHE_TTL_SECONDS_MIN = 30;
const LIST_KEYS_MAX = 1000;
const BULK_KEYS_MAX = 100;
/** Bytes before the metadata: the expiration as a number, and the metadata's length. */
const HEAD_BYTES = 12;

/** A namespace of Workers KV that is kept in a cache. */
export class KvNamespace {
  readonly #cache: Backing;

  constructor(cache: Backing) {
    this.#cache = backing(cache);
  }

  /** The value, or `null`; for a list of keys a `Map` of them. */
  async get<Value = any>(key: string, options?: KvType | KvGetOptions): Promise<Value | null>;
  async get<Value = any>(key: string[], options?: KvType | KvGetOptions): Promise<Map<string, Value | null>>;
  async get(key: string | string[], options?: KvType | KvGetOptions): Promise<any> {
    if (Array.isArray(key)) {
      const found = bulk(key, options).map(
        ([name, type]) => [name, this.#bulkValue(name, type)?.value ?? null] as const,
      );
      return new Map(found);
    }
    return (await this.getWithMetadata(key, options)).value;
  }

  /** The value and its metadata; for a list of keys a `Map` of them, with `null` for a key without a value. */
  async getWithMetadata(key: string, options?: KvType | KvGetOptions): Promise<KvValueWithMetadata>;
  async getWithMetadata(key: string[], options?: KvType | KvGetOptions): Promise<Map<string, any>>;
  async getWithMetadata(key: string | string[], options?: KvType | KvGetOptions): Promise<any> {
    if (Array.isArray(key))
      return new Map(bulk(key, options).map(([name, type]) => [name, this.#bulkValue(name, type)]));
    const name = checkKey('GET', key);
    checkCacheTtl('GET', options);
    const record = this.#read(name);
    if (record === undefined) return { value: null, metadata: null, cacheStatus: null };
    const value = present(record.bytes, typeOf(options));
    return { value, metadata: parse(record.metadata), cacheStatus: null };
  }

  /** Stores text or bytes. A value that is larger than the cache allows is refused like one over 25 MiB. */
  async put(
    key: string,
    value: string | ArrayBuffer | ArrayBufferView | Global<'ReadableStream'>,
    options: KvPutOptions = {},
  ): Promise<void> {
    const name = checkKey('PUT', key);
    const bytes = await toBytes(value);
    const expiration = endOf(options);
    const metadata =
      options.metadata === undefined || options.metadata === null ? undefined : JSON.stringify(options.metadata);
    const metadataBytes = encoder().encode(metadata ?? '');
    if (metadataBytes.length > METADATA_BYTES_MAX) {
      throw failure('PUT', 413, `Metadata length of ${metadataBytes.length} exceeds limit of ${METADATA_BYTES_MAX}.`);
    }
    if (bytes.length > VALUE_BYTES_MAX) {
      throw failure('PUT', 413, `Value length of ${bytes.length} exceeds limit of ${VALUE_BYTES_MAX}.`);
    }
    const stored = new Uint8Array(HEAD_BYTES + metadataBytes.length + bytes.length);
    const head = new DataView(stored.buffer);
    head.setFloat64(0, expiration ?? 0);
    head.setUint32(8, metadataBytes.length);
    stored.set(metadataBytes, HEAD_BYTES);
    stored.set(bytes, HEAD_BYTES + metadataBytes.length);
    const ttl = expiration === undefined ? 0 : Math.max(expiration * 1000 - Date.now(), 1);
    try {
      this.#cache.set(name, stored, { ttl });
    } catch (error) {
      if (error instanceof RangeError) throw failure('PUT', 413, `Value length of ${bytes.length}: ${error.message}`);
      throw error;
    }
  }

  async delete(key: string): Promise<void> {
    this.#cache.delete(checkKey('DELETE', key));
  }

  /** Keys in the order of their UTF-8 bytes. Every call walks over the whole cache. */
  async list(options: KvListOptions = {}): Promise<KvList> {
    const prefix = options.prefix ?? '';
    checkLength('GET', prefix);
    const asked = Math.trunc(Number(options.limit ?? LIST_KEYS_MAX));
    if (asked > LIST_KEYS_MAX) {
      const advice = `Please specify an integer less than ${LIST_KEYS_MAX}.`;
      throw failure('GET', 400, `Invalid key_count_limit of ${asked}. ${advice}`);
    }
    const limit = asked >= 1 ? asked : LIST_KEYS_MAX;
    const after = options.cursor ? fromCursor(options.cursor) : undefined;
    const names = textKeys(this.#cache, prefix)
      .filter((name) => after === undefined || compareUtf8(name, after) > 0)
      .sort(compareUtf8);
    const keys: KvListKey[] = [];
    let index = 0;
    for (; index < names.length && keys.length < limit; index++) {
      const record = this.#read(names[index]!);
      if (record !== undefined) keys.push(listed(names[index]!, record));
    }
    const last = keys.at(-1);
    if (index === names.length || last === undefined) return { keys, list_complete: true, cacheStatus: null };
    return { keys, list_complete: false, cursor: toCursor(last.name), cacheStatus: null };
  }

  #read(name: string): KvRecord | undefined {
    const stored = this.#cache.get(name);
    if (stored === undefined) return undefined;
    const head = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
    const expiration = head.getFloat64(0);
    const start = HEAD_BYTES + head.getUint32(8);
    if (expiration !== 0 && expiration * 1000 <= Date.now()) return undefined;
    return {
      expiration: expiration === 0 ? undefined : expiration,
      metadata: start === HEAD_BYTES ? undefined : decode(stored.subarray(HEAD_BYTES, start)),
      bytes: stored.subarray(start),
    };
  }

  #bulkValue(name: string, type: 'text' | 'json'): { value: any; metadata: any } | null {
    const record = this.#read(name);
    if (record === undefined) return null;
    try {
      return { value: present(record.bytes, type), metadata: parse(record.metadata) };
    } catch {
      throw failure('GET_BULK', 400, `At least one of the requested keys corresponds to a non-${type} value`);
    }
  }
}

function failure(method: string, status: number, text: string): Error {
  return new Error(`KV ${method} failed: ${status} ${text}`);
}

function checkKey(method: string, key: string): string {
  const name = String(key);
  if (name === '') throw new TypeError('Key name cannot be empty.');
  if (name === '.' || name === '..') throw new TypeError(`"${name}" is not allowed as a key name.`);
  if (isIllFormed(name)) throw failure(method, 400, 'Could not URL-decode key name');
  checkLength(method, name);
  return name;
}

/** Whether the text has half a surrogate pair, for which there are no bytes in UTF-8. */
function isIllFormed(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
}

function checkLength(method: string, name: string): void {
  const length = name.length * 3 <= KEY_BYTES_MAX ? name.length : encoder().encode(name).length;
  if (length > KEY_BYTES_MAX) {
    throw failure(method, 414, `UTF-8 encoded length of ${length} exceeds key length limit of ${KEY_BYTES_MAX}.`);
  }
}

function checkCacheTtl(method: string, options: KvType | KvGetOptions | undefined): void {
  if (typeof options !== 'object' || options === null || options.cacheTtl === undefined) return;
  const seconds = Math.trunc(options.cacheTtl) || 0;
  if (seconds >= CACHE_TTL_SECONDS_MIN) return;
  throw failure(method, 400, `Invalid cache_ttl of ${seconds}. Cache TTL must be at least ${CACHE_TTL_SECONDS_MIN}.`);
}

function typeOf(options: KvType | KvGetOptions | undefined): string {
  return (typeof options === 'string' ? options : options?.type) ?? 'text';
}

/** The keys of a request for many, each with the type of its value. */
function bulk(keys: string[], options: KvType | KvGetOptions | undefined): [string, 'text' | 'json'][] {
  const type = typeOf(options);
  if (type !== 'text' && type !== 'json') {
    throw failure('GET_BULK', 400, `"${type}" is not a valid type. Use "json" or "text"`);
  }
  if (keys.length > BULK_KEYS_MAX) throw failure('GET_BULK', 400, `You can request a maximum of ${BULK_KEYS_MAX} keys`);
  if (keys.length === 0) throw failure('GET_BULK', 400, 'You must request a minimum of 1 key');
  return keys.map((key) => {
    const name = String(key);
    if (name === '') throw failure('GET_BULK', 400, 'Key names must not be empty');
    if (name === '.' || name === '..') {
      throw failure('GET_BULK', 400, `Illegal key name "${name}". Please use a different name.`);
    }
    checkLength('GET_BULK', name);
    checkCacheTtl('GET_BULK', options);
    return [name, type];
  });
}

function present(bytes: Uint8Array, type: string): unknown {
  if (type === 'text') return decode(bytes);
  if (type === 'json') return JSON.parse(decode(bytes));
  if (type === 'arrayBuffer') return bytes.slice().buffer;
  if (type === 'stream') return new Blob([bytes.slice()]).stream();
  throw new TypeError('Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".');
}

async function toBytes(value: unknown): Promise<Uint8Array> {
  if (value === undefined) throw new TypeError('put takes a key and a value');
  if (typeof value !== 'object' || value === null) {
    const text = String(value);
    if (isIllFormed(text))
      throw new TypeError('the value has half a surrogate pair, which would come back as another character');
    return encoder().encode(text);
  }
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (Object.prototype.toString.call(value) === '[object ArrayBuffer]') return new Uint8Array(value as ArrayBuffer);
  if ('getReader' in value) return new Uint8Array(await new Response(value as ReadableStream).arrayBuffer());
  throw new TypeError('KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values.');
}

/** The second since 1970 at which a value ends. */
function endOf({ expiration, expirationTtl }: KvPutOptions): number | undefined {
  const now = Math.floor(Date.now() / 1000);
  if (expirationTtl !== undefined) {
    const ttl = Math.trunc(expirationTtl) || 0;
    if (ttl <= 0) throw failure('PUT', 400, `Invalid expiration_ttl of ${ttl}. Please specify integer greater than 0.`);
    if (ttl >= TTL_SECONDS_MIN) return now + ttl;
    const advice = `Expiration TTL must be at least ${TTL_SECONDS_MIN}.`;
    throw failure('PUT', 400, `Invalid expiration_ttl of ${ttl}. ${advice}`);
  }
  if (expiration === undefined) return undefined;
  const end = Math.trunc(expiration) || 0;
  if (end <= now) {
    const advice = 'Please specify integer greater than the current number of seconds since the UNIX epoch.';
    throw failure('PUT', 400, `Invalid expiration of ${end}. ${advice}`);
  }
  if (end >= now + TTL_SECONDS_MIN) return end;
  const advice = `Expiration times must be at least ${TTL_SECONDS_MIN} seconds in the future.`;
  throw failure('PUT', 400, `Invalid expiration of ${end}. ${advice}`);
}

function listed(name: string, { expiration, metadata }: KvRecord): KvListKey {
  const key: KvListKey = { name };
  if (expiration !== undefined) key.expiration = expiration;
  if (metadata !== undefined) key.metadata = JSON.parse(metadata);
  return key;
}

function parse(metadata: string | undefined): unknown {
  return metadata === undefined ? null : JSON.parse(metadata);
}

/** The order of UTF-8 bytes is that of code points; JavaScript compares UTF-16 units, which differ above U+D7FF. */
function compareUtf8(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a !== b) return rank(a) - rank(b);
  }
  return left.length - right.length;
}

/** Puts surrogates, the halves of code points over U+FFFF, behind all other units. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

function toCursor(name: string): string {
  return btoa(String.fromCharCode(...encoder().encode(name)));
}

/** Other cursors than ours are taken for a name behind all others, as Workers KV lists nothing then. */
function fromCursor(cursor: string): string {
  try {
    return decode(Uint8Array.from(atob(cursor), (character) => character.charCodeAt(0)));
  } catch {
    return '\u{10ffff}';
  }
}

function encoder(): TextEncoder {
  return new TextEncoder();
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}
