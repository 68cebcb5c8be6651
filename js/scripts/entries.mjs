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
};

/** Declarations by name: the source, and the script that has the values. The entries of the runtimes share one face. */
export const DECLARATIONS = {
  index: { source: 'entry/inline', script: 'inline' },
  bare: { source: 'entry/bare', script: 'bare' },
  protocol: { source: 'entry/protocol/inline', script: 'protocol' },
  'protocol-bare': { source: 'entry/protocol/bare', script: 'protocol-bare' },
};

/** The declarations of a script: its own, or those of the entry that has the same face. */
export function declarationOf(script) {
  const own = Object.keys(DECLARATIONS).find((name) => DECLARATIONS[name].script === script);
  return own ?? (script.startsWith('protocol') ? 'protocol' : 'index');
}
