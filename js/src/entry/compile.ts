// Engines that the program compiles: bytes, responses, and texts in scripts. Next.js refuses edge code that contains
// any call of a compiler, so the entries of workers do not import this file.

import { describe, isModule, tagOf, type EngineBytes, type EngineModule, type EngineResponse } from './modules.js';

/** Compiles bytes; a compiled module is returned as it is. */
export function compile(source: EngineModule | EngineBytes): WebAssembly.Module {
  if (isModule(source)) return source;
  if (!isBuffer(source)) throw new TypeError(`an engine is a WebAssembly.Module or its bytes, not ${describe(source)}`);
  return compileBytes(source);
}

/** Compiles a module, bytes or a response. */
export async function compileAny(source: EngineModule | EngineBytes | EngineResponse): Promise<WebAssembly.Module> {
  if (isModule(source)) return source;
  if (isBuffer(source)) return compileBytesLater(source);
  const response = source as Partial<EngineResponse> | null | undefined;
  if (typeof response?.arrayBuffer !== 'function') {
    throw new TypeError(`an engine is a WebAssembly.Module, its bytes or a Response, not ${describe(source)}`);
  }
  if (response.ok === false) throw new Error(`the engine could not be fetched: ${response.status} ${response.url}`);
  return compileBytesLater(await response.arrayBuffer());
}

/** The engine that a program provides to `wasmcached/bare`. */
export class Slot {
  #module: WebAssembly.Module | undefined;
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  async init(source: EngineModule | EngineBytes | EngineResponse | Promise<EngineModule | EngineBytes | EngineResponse>): Promise<void> {
    this.#module = await compileAny(await source);
  }

  initSync(source: EngineModule | EngineBytes): void {
    this.#module = compile(source);
  }

  readonly module = (): WebAssembly.Module => {
    if (this.#module !== undefined) return this.#module;
    throw new Error(`there is no engine yet; await init(fetch(url of wasmcached/${this.#file})) first`);
  };
}

/** The engine whose text `data/*.js` has registered, compiled at the first call. */
export function inlined(name: symbol): () => WebAssembly.Module {
  let compiled: WebAssembly.Module | undefined;
  return () => (compiled ??= compileBytes(decode((globalThis as Record<symbol, unknown>)[name] as EngineText)));
}

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

/** The bytes of an engine. */
export function decode({ length, bytes, letters, escapes, text }: EngineText): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(length);
  const values = new Uint8Array(bytes.length / 2).map((_, i) => parseInt(bytes.slice(2 * i, 2 * i + 2), 16));
  const positions = new Uint8Array(128);
  for (let i = 0; i < letters.length; i++) positions[letters.charCodeAt(i)] = i;
  const pages = new Uint8Array(128);
  for (let i = 0; i < escapes.length; i++) pages[escapes.charCodeAt(i)] = i + 1;
  for (let from = 0, to = 0; to < length; to++) {
    const page = pages[text.charCodeAt(from)];
    if (page !== 0) from++;
    result[to] = values[page * letters.length + positions[text.charCodeAt(from++)]];
  }
  return result;
}

function compileBytes(bytes: BufferSource): WebAssembly.Module {
  try {
    return new WebAssembly.Module(bytes);
  } catch (error) {
    throw refused(error);
  }
}

async function compileBytesLater(bytes: BufferSource): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    throw refused(error);
  }
}

/** The error for an engine that the runtime does not compile. */
function refused(cause: unknown): Error {
  const { message } = cause as Error;
  if (typeof WebAssembly === 'undefined') {
    return new Error(`this runtime has no WebAssembly (Node has none with --jitless): ${message}`, { cause });
  }
  return new Error(
    `this runtime does not compile the engine. A page needs 'wasm-unsafe-eval' in the script-src of its content security ` +
      `policy; Cloudflare Workers need wasmcached/workerd, Next.js edge routes wasmcached/edge-light. It says: ${message}`,
    { cause },
  );
}

function isBuffer(value: unknown): value is BufferSource {
  return ArrayBuffer.isView(value) || ['[object ArrayBuffer]', '[object SharedArrayBuffer]'].includes(tagOf(value));
}
