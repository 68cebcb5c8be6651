// A worker that replays transcripts: `/?name` answers with the failure, if any, and `/` with the names.

import { Cache } from 'wasmcached';
import { Protocol } from 'wasmcached/protocol';
import texts from 'transcripts';
import { parse, refusal, replay } from './transcript.mjs';

// A global of the module: Workers allow no randomness here, so the constructor must not need any.
const cache = new Cache();
const protocol = new Protocol();
/** The words of the error if the first use is outside of a request. */
const early = failure(() => protocol.execute('version\r\n'));

export default {
  fetch(request) {
    const name = decodeURIComponent(new URL(request.url).search.slice(1));
    try {
      return Response.json(name === '' ? { names: Object.keys(texts) } : answer(name));
    } catch (error) {
      return Response.json({ error: error.message });
    }
  },
};

function answer(name) {
  if (name === 'cache') return useCache();
  if (name === 'early') return { early, later: failure(() => protocol.execute('version\r\n')) ?? 'none' };
  const file = parse(name, texts[name]);
  const skipped = refusal(file);
  return skipped === undefined ? { cases: replay(file, Protocol, 'whole') } : { skipped };
}

function failure(work) {
  try {
    work();
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

function useCache() {
  const count = Number(cache.getText('count') ?? 0) + 1;
  cache.set('count', String(count), { ttl: 60_000 });
  let compiled = true;
  try {
    new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
  } catch {
    compiled = false;
  }
  return { count, maxSize: cache.maxSize, compiled };
}
