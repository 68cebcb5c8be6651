// Errors of JavaScript runtimes in words that say what to do. The runtime's own error stays as the `cause`.

interface Explanation {
  /** Matches the runtime's message. */
  readonly sign: RegExp;
  readonly make: (text: string, options: ErrorOptions) => Error;
  readonly text: string;
}

const error = (text: string, options: ErrorOptions): Error => new Error(text, options);
const rangeError = (text: string, options: ErrorOptions): Error => new RangeError(text, options);

const EXPLANATIONS: readonly Explanation[] = [
  {
    // V8 with --jitless, Fastly's js-compute.
    sign: /WebAssembly.*(?:is not defined|undefined)|Can't find variable: WebAssembly/,
    make: error,
    text: 'this runtime has no WebAssembly, which the engine needs; start Node without --jitless',
  },
  {
    // A CompileError: Chromium, Firefox and Safari in this order.
    sign: /Content Security Policy|blocked by CSP|Refused to create a WebAssembly object/i,
    make: error,
    text: "the page's content security policy forbids WebAssembly; add 'wasm-unsafe-eval' to its script-src",
  },
  {
    sign: /code generation disallowed by embedder|Dynamic WASM code generation/i,
    make: error,
    text:
      'this runtime compiles no WebAssembly at run time; import the entry for it (wasmcached/workerd, wasmcached/edge-light ' +
      'and their like), or pass a compiled module as the option `module`',
  },
  {
    // V8 reserves 10 GiB of addresses for each memory, unless its trap handler is off.
    sign: /out of memory|could not allocate memory|cannot allocate|memory allocation failed/i,
    make: rangeError,
    text:
      'this runtime grants no memory to WebAssembly; under a limit of address space (`ulimit -v`, some hosters) start Node ' +
      'with `node --disable-wasm-trap-handler`, otherwise use a smaller maxSize or dispose of what is no longer used',
  },
  {
    // Cloudflare Workers, outside of a request.
    sign: /within global scope/,
    make: error,
    text:
      'this runtime gives no randomness at module level, and the engine needs some for its first entry; create it there if you ' +
      'like, but use it first inside a request handler',
  },
  {
    sign: /crypto\b.*(?:is not defined|undefined)|getRandomValues|Can't find variable: crypto/,
    make: error,
    text: 'this runtime has no crypto.getRandomValues, which the engine needs for a secret seed; define globalThis.crypto',
  },
];

/** An error of ours for one of the runtime that this file knows, or the same value. */
export function explain(thrown: unknown): unknown {
  // Not by `instanceof`: the error may be of another realm.
  const { message, cause } = (thrown ?? {}) as { message?: unknown; cause?: unknown };
  // An error with a cause is one of ours already.
  if (typeof message !== 'string' || cause !== undefined) return thrown;
  const found = EXPLANATIONS.find(({ sign }) => sign.test(message));
  return found === undefined ? thrown : found.make(`${found.text} (${message})`, { cause: thrown });
}

/** Calls `work`; errors that it throws are explained. */
export function explained<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    throw explain(thrown);
  }
}

/**
 * Whether WebAssembly itself failed, in this or another realm. Where the stack ends in the middle of a call, the instance is as
 * broken as by a trap.
 */
export function isTrap(thrown: unknown): boolean {
  if (Object.prototype.toString.call(thrown) !== '[object Error]') return false;
  const { name, message } = thrown as Error;
  return name === 'RuntimeError' || /unreachable|out of bounds|call stack|too much recursion/.test(message);
}
