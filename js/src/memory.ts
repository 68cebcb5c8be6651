// How bytes and text get into and out of a memory, by the fastest means of the runtime.

import { utf8 } from './text.js';

interface NodeBuffer extends Uint8Array {
  latin1Slice(from: number, to: number): string;
  utf8Slice(from: number, to: number): string;
  utf8Write(text: string, at: number, bytesMax: number): number;
}

interface Runtime {
  Buffer?: { from(buffer: ArrayBufferLike, at?: number, length?: number): NodeBuffer };
  process?: { versions?: Record<string, string | undefined> };
  Bun?: unknown;
  Deno?: unknown;
}

const WORD_BYTES = 4;
const ASCII_MAX = 127;
/** Copies of up to so many bytes come from a slab. */
const SLAB_COPY_BYTES_MAX = 4096;
const SLAB_BYTES = 64 * 1024;
/** A copy begins at a multiple of it, so that every typed array fits on it. */
const SLAB_ALIGNMENT = 8;

const runtime = (): Runtime => globalThis as Runtime;

/** Whether this is Node, whose Buffer reads and writes text several times faster than the encoders of the web. */
const isNode = (): boolean =>
  runtime().process?.versions?.node !== undefined && runtime().Bun === undefined && runtime().Deno === undefined;

/** A function that reads ASCII from these bytes. */
export function asciiReader(bytes: Uint8Array): (from: number, to: number) => string {
  const { Buffer } = runtime();
  if (!isNode() || Buffer === undefined) return (from, to) => utf8().decode(bytes.subarray(from, to));
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return (from, to) => buffer.latin1Slice(from, to);
}

/** Reads and writes a memory that may grow. `refresh` must follow each call that may have grown it. */
export class Views {
  bytes!: Uint8Array<ArrayBuffer>;
  words!: Uint32Array<ArrayBuffer>;
  readonly #memory: WebAssembly.Memory;
  // The getter `buffer` of an array costs as much as a copy.
  #memoryBuffer!: ArrayBuffer;
  #buffer: NodeBuffer | undefined;
  readonly #slab: Slab | undefined;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
    // Bun copies a slice faster than it makes a view.
    this.#slab = runtime().Bun === undefined ? new Slab() : undefined;
    this.#renew();
  }

  /** Makes new views if the memory has grown: growth detaches the old ones, whose length is then 0. */
  refresh(): void {
    if (this.bytes.length === 0) this.#renew();
  }

  #renew(): void {
    const buffer = this.#memory.buffer as ArrayBuffer;
    this.#memoryBuffer = buffer;
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
    const { Buffer } = runtime();
    this.#buffer = isNode() && Buffer !== undefined ? Buffer.from(buffer) : undefined;
  }

  /** Bytes of the memory. */
  get size(): number {
    return this.#memory.buffer.byteLength;
  }

  /** A copy of these bytes. */
  copy(at: number, length: number): Uint8Array<ArrayBuffer> {
    if (this.#slab === undefined || length > SLAB_COPY_BYTES_MAX) return this.bytes.slice(at, at + length);
    return this.#slab.copy(this.#memoryBuffer, at, length);
  }

  /** A copy of these bytes, of which parts are taken. */
  pack(at: number, length: number): Pack {
    return this.#slab === undefined ? new SlicedPack(this.bytes, at) : new SharedPack(this.copy(at, length));
  }

  /** A copy of these bytes with a buffer of its own. */
  copyOf(at: number, length: number): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(at, at + length);
  }

  /** A view of these bytes, until the next call of the engine. A constructor is faster than `subarray`. */
  view(at: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#memoryBuffer, at, length);
  }

  /** These bytes as text. */
  text(at: number, length: number): string {
    return this.#buffer !== undefined ? this.#buffer.utf8Slice(at, at + length) : utf8().decode(this.view(at, length));
  }

  /**
   * Writes text in ASCII, in words where it begins at one: for short text that is faster than an encoder. False if it is not
   * ASCII; what was written is of no use then.
   */
  writeAscii(text: string, at: number): boolean {
    const { words, bytes } = this;
    const { length } = text;
    let seen = 0;
    let i = 0;
    if ((at & (WORD_BYTES - 1)) === 0) {
      for (; i + WORD_BYTES <= length; i += WORD_BYTES) {
        const [a, b, c, d] = [text.charCodeAt(i), text.charCodeAt(i + 1), text.charCodeAt(i + 2), text.charCodeAt(i + 3)];
        seen |= a | b | c | d;
        words[(at + i) >>> 2] = a | (b << 8) | (c << 16) | (d << 24);
      }
    }
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      seen |= code;
      bytes[at + i] = code;
    }
    return seen <= ASCII_MAX;
  }

  /** Writes a number of 32 bits at any place. */
  writeWord(at: number, word: number): void {
    const { bytes } = this;
    bytes[at] = word;
    bytes[at + 1] = word >>> 8;
    bytes[at + 2] = word >>> 16;
    bytes[at + 3] = word >>> 24;
  }

  /** Whether an array lies in this memory. */
  holds(array: Uint8Array): boolean {
    return array.buffer === this.#memoryBuffer;
  }

  /** Writes text that takes at most `bytesMax` bytes; returns how many it took. */
  write(text: string, at: number, bytesMax: number): number {
    if (this.#buffer !== undefined) return this.#buffer.utf8Write(text, at, bytesMax);
    return utf8().encodeInto(text, this.view(at, bytesMax)).written;
  }
}

/** Bytes that are copied together. */
export interface Pack {
  /** A copy of a part. */
  take(at: number, length: number): Uint8Array<ArrayBuffer>;
}

class SharedPack implements Pack {
  readonly #buffer: ArrayBuffer;
  readonly #at: number;

  constructor({ buffer, byteOffset }: Uint8Array<ArrayBuffer>) {
    this.#buffer = buffer;
    this.#at = byteOffset;
  }

  take(at: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#buffer, this.#at + at, length);
  }
}

/** Copies each part by itself, where a view costs more than a copy. */
class SlicedPack implements Pack {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #at: number;

  constructor(bytes: Uint8Array<ArrayBuffer>, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  take(at: number, length: number): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(this.#at + at, this.#at + at + length);
  }
}

/**
 * Small copies share buffers, as Node's Buffers do: a buffer a copy would cost several times more than the copy. A buffer that
 * somebody has transferred is noticed and replaced.
 */
class Slab {
  #buffer = new ArrayBuffer(0);
  #bytes = new Uint8Array(this.#buffer);
  #used = 0;

  copy(from: ArrayBuffer, at: number, length: number): Uint8Array<ArrayBuffer> {
    // A transferred buffer has no bytes.
    if (this.#used + length > this.#bytes.length || this.#bytes.length === 0) {
      this.#buffer = new ArrayBuffer(SLAB_BYTES);
      this.#bytes = new Uint8Array(this.#buffer);
      this.#used = 0;
    }
    const begin = this.#used;
    this.#bytes.set(new Uint8Array(from, at, length), begin);
    this.#used = (begin + length + SLAB_ALIGNMENT - 1) & -SLAB_ALIGNMENT;
    return new Uint8Array(this.#buffer, begin, length);
  }
}
