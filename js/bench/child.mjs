// A measurement in a process of its own: `child.mjs NAME OPTIONS` prints the result as a line of JSON.

const MEASUREMENTS = {
  time: async (options) => {
    const { measure } = await import('./operations.mjs');
    const { lruCache } = await import('./libraries/libraries.mjs');
    return measure({ Cache: (await import('wasmcached')).Cache, LRUCache: await lruCache() }, options);
  },
  memory: async (options) => (await import('./memory.mjs')).fill(options),
  hits: async (options) => (await import('./hit-ratio.mjs')).replay(options),
  start: async (options) => (await import('./startup.mjs')).start(options),
};

const [name, options] = process.argv.slice(2);
console.log(JSON.stringify(await MEASUREMENTS[name](JSON.parse(options))));
