// Node, every supported line, by `import` and `require`.

import { importing, requiring } from '../probe.mjs';
import { output } from '../process.mjs';
import { project } from '../project.mjs';
import { node, version } from '../tools.mjs';

/** The entry without an engine: the program reads it from the package. */
const BARE = `import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { initSync, Cache } from 'wasmcached/bare';
initSync(readFileSync(createRequire(import.meta.url).resolve('wasmcached/ENGINE')));
`;

const row = (major) => ({
  id: `node${major}`,
  title: `Node ${major}`,
  parts: ['import', 'require', 'bare'],
  isQuick: true,
  version: () => version(`node${major}`, 'node'),
  async run({ part, engine }) {
    const program = await node(`node${major}`);
    const bare = importing('wasmcached/bare')['main.mjs'].split('\n').slice(1).join('\n');
    const files = { ...importing(), ...requiring(), 'bare.mjs': BARE.replace('ENGINE', engine) + bare };
    const folder = await project(`node${major}`, undefined, files);
    const main = (file) => () => output(program, ['--no-warnings', file], { cwd: folder });
    await part('import', main('main.mjs'));
    await part('require', main('main.cjs'));
    await part('bare', main('bare.mjs'));
  },
});

export const rows = ['20', '22', '24', '26'].map(row);
