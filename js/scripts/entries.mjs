// The public entries.

/** Sources of the scripts by name. Each is built as an ES module and as CommonJS. */
export const SCRIPTS = {
  inline: 'entry/inline.ts',
  workerd: 'entry/workerd.ts',
  'edge-light': 'entry/edge-light.ts',
  bare: 'entry/bare.ts',
  protocol: 'entry/protocol/inline.ts',
  'protocol-workerd': 'entry/protocol/workerd.ts',
  'protocol-edge-light': 'entry/protocol/edge-light.ts',
  'protocol-bare': 'entry/protocol/bare.ts',
  keyv: 'adapters/keyv.ts',
  unstorage: 'adapters/unstorage.ts',
  'cache-manager': 'adapters/cache-manager.ts',
  next: 'adapters/next.ts',
  'next-use-cache': 'adapters/next-use-cache.ts',
  kv: 'adapters/kv.ts',
  'cache-api': 'adapters/cache-api.ts',
};

/** Declarations by name: the source, and the script that has the values. The entries of the runtimes share one face. */
export const DECLARATIONS = {
  index: { source: 'entry/inline', script: 'inline' },
  bare: { source: 'entry/bare', script: 'bare' },
  protocol: { source: 'entry/protocol/inline', script: 'protocol' },
  'protocol-bare': { source: 'entry/protocol/bare', script: 'protocol-bare' },
  keyv: { source: 'adapters/keyv', script: 'keyv' },
  unstorage: { source: 'adapters/unstorage', script: 'unstorage' },
  'cache-manager': { source: 'adapters/cache-manager', script: 'cache-manager' },
  next: { source: 'adapters/next', script: 'next' },
  'next-use-cache': { source: 'adapters/next-use-cache', script: 'next-use-cache' },
  kv: { source: 'adapters/kv', script: 'kv' },
  'cache-api': { source: 'adapters/cache-api', script: 'cache-api' },
};

/** The declarations of a script: its own, or those of the entry that has the same face. */
export function declarationOf(script) {
  const own = Object.keys(DECLARATIONS).find((name) => DECLARATIONS[name].script === script);
  return own ?? (script.startsWith('protocol') ? 'protocol' : 'index');
}
