// TypeScript of several ages, and the checkers of packages.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { output } from '../process.mjs';
import { project, write } from '../project.mjs';
import { cache, js, tool, version } from '../tools.mjs';

/** A program that uses types of every kind: it must compile, and its commented twin must not. */
const USE = `import { Cache, type CacheOptions } from 'wasmcached';
const options: CacheOptions = { maxSize: 65536, ttl: 1000 };
const cache = new Cache(options);
cache.set('a', new Uint8Array([1]), { ttl: 5 });
const bytes: Uint8Array | undefined = cache.get('a');
const text: string | undefined = cache.getText('a');
export const found: boolean = cache.has('a') && cache.delete('a');
export { bytes, text };
`;
const WITH_DOM = 'export const response = new Response(cache.get("a") ?? null);\n';
const WRONG = "import { Cache } from 'wasmcached';\nexport const wrong: number = new Cache({ maxSize: '1' }).getText('a');\n";

const RUNTIMES = ['inline', 'workerd', 'edge-light', 'bare'];
const entries = ['', ...RUNTIMES].flatMap((one) => [`wasmcached/${one}`, `wasmcached/protocol/${one}`]).map((one) => one.replace(/\/$/, ''));
const ENTRIES = entries.map((entry, i) => `export * as entry${i} from '${entry}';\n`).join('');

const row = (release) => ({
  id: `typescript${release}`,
  title: 'TypeScript',
  parts: ['with dom', 'without dom', 'CommonJS', 'a wrong program is refused'],
  isQuick: release === '5.4' || release === '7',
  tools: [`typescript${release}`],
  version: () => version(`typescript${release}`),
  async run({ part }) {
    const folder = await project(`typescript${release}`, undefined, {
      'dom.mts': USE + WITH_DOM + ENTRIES,
      'plain.mts': USE + ENTRIES,
      'plain.cts': USE + ENTRIES,
      'wrong.mts': WRONG,
    });
    const tsc = join(await tool(`typescript${release}`), 'node_modules/typescript/bin/tsc');
    const compile = (file, lib, module) => async () => {
      const compilerOptions = { noEmit: true, strict: true, target: 'es2022', module, types: [], lib };
      write(folder, { [`${file}.json`]: JSON.stringify({ compilerOptions, files: [file] }) });
      await output(process.execPath, [tsc, '-p', `${file}.json`], { cwd: folder });
      return 'compiles';
    };
    const plain = compile('plain.mts', ['es2022'], 'nodenext');
    const refused = compile('wrong.mts', ['es2022'], 'nodenext');
    const count = async () => (await refused().catch((error) => error.message)).match(/error TS2322/g)?.length;
    await Promise.all([
      part('with dom', compile('dom.mts', ['es2022', 'dom'], 'nodenext'), 'compiles'),
      part('without dom', plain, 'compiles'),
      part('CommonJS', compile('plain.cts', ['es2022'], 'node16'), 'compiles'),
      part('a wrong program is refused', async () => `${await count()} errors`, '2 errors'),
    ]);
  },
});

const checkers = {
  id: 'checkers',
  title: 'attw and publint',
  // The package's own tests run both.
  parts: ['attw', 'publint'],
  version: async () => '',
  async run({ part }) {
    const bin = (...path) => join(js, 'node_modules', ...path);
    const attw = bin('@arethetypeswrong/cli/dist/index.js');
    await part('attw', () => output(process.execPath, [attw, '--pack', '.'], { cwd: js }), 'No problems found');
    const publint = bin('publint/src/cli.js');
    await part('publint', () => output(process.execPath, [publint, '--strict'], { cwd: js }), 'All good');
  },
};

const jsr = {
  id: 'jsr',
  title: 'JSR, by Deno',
  parts: ['publish --dry-run'],
  isQuick: true,
  tools: ['deno'],
  version: () => version('deno'),
  async run({ part }) {
    const folder = join(cache, 'jsr');
    rmSync(folder, { recursive: true, force: true });
    await output(process.execPath, [join(js, 'scripts/jsr.mjs'), folder], { cwd: js });
    const program = join(await tool('deno'), 'node_modules/.bin/deno');
    const env = { DENO_NO_UPDATE_CHECK: '1', DENO_DIR: join(folder, 'cache') };
    await part('publish --dry-run', async () => {
      const text = await output(program, ['publish', '--dry-run', '--allow-dirty'], { cwd: folder, env });
      if (/warning\[/.test(text)) throw new Error(text);
      return text;
    }, 'Dry run complete');
  },
};

export const rows = [...['5.4', '5.6', '5.9', '7'].map(row), checkers, jsr];
