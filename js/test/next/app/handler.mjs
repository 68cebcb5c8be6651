// The incremental cache of the app, with a log.

import { nextCacheHandler } from 'wasmcached/next';
import { log } from './log.mjs';

export default class Handler extends nextCacheHandler({ maxSize: 8 * 1024 * 1024 }) {
  async get(key, context) {
    const found = await super.get(key, context);
    log(context.kind, found === null ? 'miss' : 'hit', key);
    return found;
  }

  async set(key, value, context) {
    log(value?.kind, 'set', key);
    await super.set(key, value, context);
  }
}
