// The public entries.

/** Sources of the scripts by name. Each is built as an ES module and as CommonJS. */
export const SCRIPTS = {
  inline: 'entry/inline.ts',
  workerd: 'entry/workerd.ts',
  'edge-light': 'entry/edge-light.ts',
  bare: 'entry/bare.ts',
};

/** Declarations by name: the source, and the script that has the values. The entries of the runtimes share one face. */
export const DECLARATIONS = {
  index: { source: 'entry/inline', script: 'inline' },
  bare: { source: 'entry/bare', script: 'bare' },
};
