// Deno, Bun and Electron.

import { join } from 'node:path';
import { PROBE, REQUIRES, importing, requiring } from '../probe.mjs';
import { finish, output } from '../process.mjs';
import { project } from '../project.mjs';
import { Unavailable, pathOfNode, tool, version } from '../tools.mjs';

const deno = {
  id: 'deno',
  title: 'Deno',
  parts: ['import', 'require', 'check'],
  isQuick: true,
  tools: ['deno'],
  version: () => version('deno'),
  async run({ part }) {
    const folder = await project('deno', 'deno', {
      ...importing(),
      ...requiring(),
      'check.ts': "import { Cache } from 'wasmcached';\nconst text: string | undefined = new Cache({ maxSize: 65536 }).getText('a');\nconsole.log(text);\n",
    });
    const program = join(await tool('deno'), 'node_modules/.bin/deno');
    const env = { DENO_NO_UPDATE_CHECK: '1', DENO_DIR: join(folder, 'cache') };
    const run = (...flags) => () => output(program, flags, { cwd: folder, env });
    await part('import', run('run', '--node-modules-dir=manual', 'main.mjs'));
    await part('require', run('run', '--node-modules-dir=manual', '--allow-read', 'main.cjs'));
    await part('check', run('check', '--node-modules-dir=manual', 'check.ts'), '');
  },
};

const bun = {
  id: 'bun',
  title: 'Bun',
  parts: ['import', 'require', 'build --compile'],
  isQuick: true,
  tools: ['bun'],
  version: () => version('bun'),
  async run({ part }) {
    const folder = await project('bun', 'bun', { ...importing(), ...requiring() });
    const program = join(await tool('bun'), 'node_modules/.bin/bun');
    const run = (...flags) => output(program, flags, { cwd: folder });
    await part('import', () => run('main.mjs'));
    await part('require', () => run('main.cjs'));
    await part('build --compile', async () => {
      await run('build', '--compile', 'main.mjs', '--outfile', 'compiled');
      return output(join(folder, 'compiled'), [], { cwd: '/' });
    });
  },
};

const ELECTRON_MAIN = `const { app } = require('electron');
${REQUIRES}${PROBE}app.whenReady().then(() => { console.log(probe(Cache, Protocol)); app.exit(0); });
`;

const electron = {
  id: 'electron',
  title: 'Electron',
  parts: ['main process'],
  tools: ['electron'],
  version: () => version('electron'),
  async run({ part }) {
    const folder = await project('electron', 'electron', { 'main.cjs': ELECTRON_MAIN });
    const cli = join(await tool('electron'), 'node_modules/.bin/electron');
    const env = { PATH: await pathOfNode() };
    const { code, output: text } = await finish(cli, ['--no-sandbox', '--version'], { cwd: folder, env });
    // npm has only its installer, which fetches the program from elsewhere.
    const reason = /Error: .*/.exec(text)?.[0] ?? text.trim();
    if (code !== 0) throw new Unavailable(`the registry has no program of Electron: ${reason}`);
    await part('main process', () => output(cli, ['--no-sandbox', 'main.cjs'], { cwd: folder, env }));
  },
};

export const rows = [deno, bun, electron];
