// The page that a browser runs: measures, and posts the result to the server that sent it.

import { Cache } from 'wasmcached';

import { LRUCache } from './libraries/node_modules/lru-cache/dist/esm/index.min.js';
import { measure } from './operations.mjs';

const settings = await (await fetch('/settings')).json();
let result;
try {
  result = settings.map((setting) => ({ ...setting, times: measure({ Cache, LRUCache }, setting) }));
} catch (error) {
  result = { error: String(error.stack ?? error) };
}
await fetch('/result', { method: 'POST', body: JSON.stringify(result) });
