// Bundlers: a page of each in Chromium, and what each makes under the condition `workerd`, in Node and in workerd.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PAGE, SHOW, served, textOf } from '../browser.mjs';
import { IMPORTS, PROBE, importing } from '../probe.mjs';
import { output } from '../process.mjs';
import { project } from '../project.mjs';
import { pathOfNode, version } from '../tools.mjs';
import { WORKER, answerOfWorker } from '../worker.mjs';

/** A script that bundles `from` into `to` (a file), by `conditions`, for a page or for a server. */
const SCRIPTS = {
  esbuild: `import { build } from 'esbuild';
export const bundle = (from, to, conditions, external) => build({
  entryPoints: [from], outfile: to, bundle: true, minify: true, format: 'esm', external,
  ...(conditions && { conditions }), logLevel: 'error',
});`,
  rollup: `import { rollup } from 'rollup';
import { nodeResolve } from '@rollup/plugin-node-resolve';
export const bundle = async (from, to, conditions = [], external) => {
  const made = await rollup({ input: from, external, plugins: [nodeResolve({ exportConditions: conditions })], onwarn(w) { throw new Error(w.message); } });
  await made.write({ file: to, format: 'es' });
};`,
  rolldown: `import { rolldown } from 'rolldown';
export const bundle = async (from, to, conditions, external) => {
  const made = await rolldown({ input: from, external, ...(conditions && { resolve: { conditionNames: [...conditions, 'import', 'default'] } }) });
  await made.write({ file: to, format: 'es', minify: true });
};`,
  webpack: `import webpack from 'webpack';
import { basename, dirname } from 'node:path';
export const bundle = (from, to, conditions, external) => new Promise((resolve, reject) => webpack({
  mode: 'production', entry: from, target: conditions ? 'node20' : 'web', externals: external,
  output: { path: dirname(to), filename: basename(to), module: true, library: { type: 'module' }, chunkFormat: 'module' },
  experiments: { outputModule: true }, performance: false,
  ...(conditions && { resolve: { conditionNames: [...conditions, '...'] } }),
}, (error, stats) => error || stats.hasErrors() || stats.hasWarnings() ? reject(error ?? new Error(stats.toString())) : resolve()));`,
  vite: `import { build } from 'vite';
import { basename, dirname } from 'node:path';
export const bundle = (from, to, conditions, external) => build({
  logLevel: 'error', configFile: false, root: dirname(from),
  ...(conditions ? { ssr: { noExternal: true, resolve: { conditions } } } : {}),
  build: {
    copyPublicDir: false, outDir: dirname(to), emptyOutDir: false, ssr: Boolean(conditions),
    rollupOptions: { input: from, external, output: { format: 'es', entryFileNames: basename(to) } },
  },
});`,
};

/** Engines stay outside the script; esbuild names them by a pattern, the others by a regular expression. */
const WASM = { esbuild: "['*.wasm']" };

const row = (name) => ({
  id: name,
  title: name,
  parts: ['a page', "condition 'workerd', in Node", "conditions 'workerd' and 'worker', in workerd"],
  isQuick: true,
  tools: ['bundlers', 'browsers', 'miniflare'],
  version: () => version('bundlers', name),
  async run({ part }) {
    const folder = await project(name, 'bundlers', {
      'bundle.mjs': `${SCRIPTS[name]}\nconst [from, to, conditions] = JSON.parse(process.argv[2]);\nawait bundle(from, to, conditions, conditions?.includes('worker') ? ${WASM[name] ?? '[/\\.wasm$/]'} : []);\n`,
      'page.mjs': IMPORTS + PROBE + SHOW,
      'worker.mjs': WORKER,
      'server.mjs': importing()['main.mjs'],
    });
    const env = { PATH: await pathOfNode() };
    const bundle = async (from, to, conditions) => {
      await output('node', ['bundle.mjs', JSON.stringify([join(folder, from), join(folder, to), conditions])], { cwd: folder, env });
      return join(folder, to);
    };
    const page = async () => {
      const script = readFileSync(await bundle('page.mjs', 'page/page.js'));
      return served((path) => ({ 'index.html': PAGE, 'main.js': script })[path], (url) => textOf('chrome', url));
    };
    const server = async () => output('node', [await bundle('server.mjs', 'out/server.mjs', ['workerd'])], { cwd: folder, env });
    const worker = async () => answerOfWorker(folder, await bundle('worker.mjs', 'worker/worker.js', ['workerd', 'worker', 'browser']));
    await Promise.all([
      part('a page', page),
      part("condition 'workerd', in Node", server),
      part("conditions 'workerd' and 'worker', in workerd", worker),
    ]);
  },
});

export const rows = Object.keys(SCRIPTS).map(row);
