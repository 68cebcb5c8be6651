// The configuration of the app: both of its caches are ours.

import { fileURLToPath } from 'node:url';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

export default {
  cacheHandler: path('handler.mjs'),
  cacheHandlers: { default: path('use-cache-handler.mjs') },
  cacheComponents: true,
  partialPrefetching: true,
  cacheMaxMemorySize: 0,
  turbopack: { root: path('.') },
};
