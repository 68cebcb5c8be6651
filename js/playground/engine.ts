// The engine in the page. No other file of the playground knows how the package reaches it.

import type { Connection } from '../src/connection.js';
import { Protocol } from '../src/protocol.js';
import { parseStatistics } from '../src/statistics.js';
import { instantiated } from './glue.js';
import { base64 } from './generated/base64.js';

/** How the engine chooses the items that leave a full cache. */
export type Policy = 's3fifo' | 'lru';

/** Contents of a segment, by their numbers in the engine. */
export const CONTENTS = ['free', 'index', 'main', 'probation', 'held'] as const;

/** The content of a segment. */
export type Content = (typeof CONTENTS)[number];

/** The map of the memory. Each word is a segment, which {@link contentOf} and its kin take apart. */
export interface MemoryMap {
  readonly segmentBytes: number;
  readonly words: Uint32Array;
}

/** The content of the segment. */
export function contentOf(word: number): Content {
  return CONTENTS[word >>> 28];
}

/** Bytes of items that can be found. */
export function liveBytesOf(word: number): number {
  return ((word >>> 14) & 0x3fff) * 8;
}

/** Bytes of items that were removed or replaced. */
export function deadBytesOf(word: number): number {
  return (word & 0x3fff) * 8;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One cache with connections for the terminal, for the load, and for the page itself. */
export class Engine {
  readonly maxSize: number;
  readonly #protocol: Protocol;
  readonly #load: Connection;
  readonly #asking: Connection;
  readonly #exports: ReturnType<typeof instantiated>;
  #terminal: Connection;

  /** An empty cache. `clock` returns milliseconds since 1970. */
  constructor(maxSize: number, policy: Policy, clock: () => number) {
    this.maxSize = maxSize;
    this.#protocol = new Protocol({ maxSize, clock }, { module: compiled, maxSize });
    this.#terminal = this.#protocol.connect();
    this.#exports = instantiated();
    this.#load = this.#protocol.connect();
    this.#asking = this.#protocol.connect();
    this.setPolicy(policy);
  }

  /** Sends bytes of the terminal; returns the reply. */
  send(text: string): string {
    if (this.#terminal.isClosed) this.reconnect();
    return decoder.decode(this.#terminal.execute(text));
  }

  /** Whether the terminal's connection was closed by the engine. */
  get isClosed(): boolean {
    return this.#terminal.isClosed;
  }

  /** Gives the terminal a new connection, which forgets an incomplete request. */
  reconnect(): void {
    this.#terminal.close();
    this.#terminal = this.#protocol.connect();
  }

  /** Whether the key has a value: a meta get that asks for no value. */
  find(key: string): boolean {
    return this.#load.execute(`mg ${key}\r\n`)[0] === H;
  }

  /** Stores a value; `ttl` in seconds, 0: none. */
  store(key: string, value: string, ttl: number): void {
    const reply = this.#load.execute(`set ${key} 0 ${ttl} ${value.length}\r\n${value}\r\n`);
    if (reply[0] !== S) throw new Error(`the engine refused to store: ${decoder.decode(reply)}`);
  }

  /** memcached's statistics by name. */
  statistics(): Record<string, string> {
    return parseStatistics(this.#asking.execute('stats\r\n'));
  }

  /** Changes the policy without a loss of items. memcached's name for an exact LRU is a flat one. */
  setPolicy(policy: Policy): void {
    this.#asking.execute(`lru mode ${policy === 'lru' ? 'flat' : 'segmented'}\r\n`);
  }

  /** The policy, which commands of the terminal may have changed. */
  get policy(): Policy {
    const settings = parseStatistics(this.#asking.execute('stats settings\r\n'));
    return settings['lru_segmented'] === 'no' ? 'lru' : 's3fifo';
  }

  /** The present use of each segment. */
  map(): MemoryMap {
    const { exports, cache } = this.#exports;
    const words = new Uint32Array(exports.solo_segments(cache));
    for (let i = 0; i < words.length; i++) words[i] = exports.solo_segment(cache, i);
    return { segmentBytes: exports.solo_segment_bytes(cache), words };
  }

  /** Frees the memory. */
  dispose(): void {
    this.#protocol.dispose();
  }
}

/** The number of bytes of a text in UTF-8. */
export function bytesOf(text: string): number {
  return encoder.encode(text).length;
}

const [H, S] = encoder.encode('HS');

let module: WebAssembly.Module | undefined;

function compiled(): WebAssembly.Module {
  module ??= new WebAssembly.Module(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
  return module;
}
