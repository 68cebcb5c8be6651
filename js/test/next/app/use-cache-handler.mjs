// The cache of 'use cache' of the app, with a log.

import { nextUseCacheHandler } from 'wasmcached/next/use-cache';
import { log } from './log.mjs';

const handler = nextUseCacheHandler({ maxSize: 8 * 1024 * 1024 });

export default {
  ...handler,
  async get(key, softTags) {
    const found = await handler.get(key, softTags);
    log('USE_CACHE', found === undefined ? 'miss' : 'hit', key);
    return found;
  },
  async set(key, pending) {
    log('USE_CACHE', 'set', key);
    await handler.set(key, pending);
  },
};
