// Node, every supported line, by `import` and `require`.

import { PRINT, importing, requiring } from '../probe.mjs';
import { output } from '../process.mjs';
import { project } from '../project.mjs';
import { node, version } from '../tools.mjs';

/** The entries without engines: the program reads them from the package. */
const BARE = `import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { initSync, Cache } from 'wasmcached/bare';
import { initSync as initProtocol, Protocol } from 'wasmcached/protocol/bare';
const engine = (name) => readFileSync(createRequire(import.meta.url).resolve('wasmcached/' + name));
initSync(engine('store.wasm'));
initProtocol(engine('protocol.wasm'));
`;

const row = (major) => ({
  id: `node${major}`,
  title: `Node ${major}`,
  parts: ['import', 'require', 'bare'],
  isQuick: true,
  tools: [`node${major}`],
  version: () => version(`node${major}`, 'node'),
  async run({ part }) {
    const program = await node(`node${major}`);
    const files = { ...importing(), ...requiring(), 'bare.mjs': BARE + PRINT };
    const folder = await project(`node${major}`, undefined, files);
    const main = (file) => () => output(program, ['--no-warnings', file], { cwd: folder });
    await part('import', main('main.mjs'));
    await part('require', main('main.cjs'));
    await part('bare', main('bare.mjs'));
  },
});

export const rows = ['20', '22', '24', '26'].map(row);
