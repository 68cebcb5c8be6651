// Modules of the engines: how each runtime gets one. No test is by `instanceof`: Next.js hands its edge sandbox modules
// of another realm.

/** A compiled engine: a `WebAssembly.Module`. The types of some projects do not know that name. */
export type EngineModule = object;

/** An engine as bytes. */
export type EngineBytes = ArrayBuffer | ArrayBufferView;

/** A response of `fetch`. */
export interface EngineResponse {
  readonly ok: boolean;
  readonly status: number;
  readonly url: string;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** Whether the value is a compiled module, of this or another realm. */
export function isModule(value: unknown): value is WebAssembly.Module {
  return tagOf(value) === '[object WebAssembly.Module]';
}

/** The module that a bundler made of an import, or an error that tells what to do. */
export function imported(module: unknown, entry: string): () => WebAssembly.Module {
  return () => {
    // A `require` that knows ES modules gives their namespace.
    const found = (module as { default?: unknown } | undefined)?.default ?? module;
    if (isModule(found)) return found;
    throw new TypeError(
      `wasmcached/${entry} got ${describe(module)} for its engine: this bundler does not compile imported .wasm files. ` +
        'Leave wasmcached external, so that the tool of the platform (wrangler, Next.js) bundles it, or import wasmcached/inline',
    );
  };
}

/** The tag of a value, which is the same in all realms. */
export const tagOf = (value: unknown): string => Object.prototype.toString.call(value);

/** A value in a message. */
export function describe(value: unknown): string {
  return value === null || typeof value !== 'object' ? `${value as string}` : tagOf(value).slice(8, -1);
}
