// A script that runs the model test in runtimes without a test runner. It is bundled with the package.

import { Cache } from 'wasmcached';
import { KINDS, run } from './run.mjs';

/** Runs every kind of cache; returns a line that says `ok` or what is wrong. */
export async function answer(seed, operations) {
  try {
    let done = 0;
    for (const kind of Object.keys(KINDS)) {
      const counts = await run(Cache, kind, seed, operations);
      done += Object.values(counts).reduce((sum, count) => sum + count, 0);
    }
    return `ok: ${done} operations`;
  } catch (error) {
    return `failed: ${error.stack}`;
  }
}
