// The parts of the playground without a page, for tests.

export { completions, similar } from './commands.js';
export { explain } from './explain.js';
export { Load } from './load.js';
export { ExactLru, itemBytes } from './lru.js';
export { parse } from './request.js';
export { Session } from './session.js';
