// Engines that the program compiles: bytes, responses, and texts in scripts. Next.js refuses edge code that contains
// any call of a compiler, so the entries of workers do not import this file.

import { decode, type EngineText } from './decoder.js';
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

/** The first bytes of a module. */
const MAGIC = [0, 0x61, 0x73, 0x6d];

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
  return () => (compiled ??= compileText((globalThis as Record<symbol, unknown>)[name] as EngineText));
}

function compileText(text: EngineText): WebAssembly.Module {
  try {
    return new WebAssembly.Module(decode(text));
  } catch (error) {
    throw refused(error);
  }
}

function compileBytes(bytes: BufferSource): WebAssembly.Module {
  try {
    return new WebAssembly.Module(checked(bytes));
  } catch (error) {
    throw refused(error);
  }
}

async function compileBytesLater(bytes: BufferSource): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(checked(bytes));
  } catch (error) {
    throw refused(error);
  }
}

/** The bytes, if they begin as a module does: else the compiler's error would be taken for a refusal. */
function checked(bytes: BufferSource): BufferSource {
  const head = ArrayBuffer.isView(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : new Uint8Array(bytes);
  if (MAGIC.every((byte, i) => head[i] === byte)) return bytes;
  throw new TypeError(`these ${head.length} bytes are no WebAssembly module; pass those of the file in this package (a server may have sent a page instead)`);
}

/** The error for an engine that the runtime does not compile. */
function refused(cause: unknown): Error {
  const { name, message } = cause as Error;
  // Other errors are not about compiling: no memory for the decoder, bytes of something else.
  if (typeof WebAssembly !== 'undefined' && name !== 'CompileError') return cause as Error;
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
