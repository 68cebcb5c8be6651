// Scripts in workerd, by miniflare and without network.

import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { build } from 'esbuild';
import { IMPORTS, PROBE } from './probe.mjs';
import { output } from './process.mjs';
import { pathOfNode, tool } from './tools.mjs';

/** A worker that answers each request by the probe. */
export const WORKER = `${IMPORTS}${PROBE}
// A global of the module, where Workers allow no randomness.
const cache = new Cache();
export default {
  fetch() {
    try {
      cache.set('a', 'b');
      return new Response(cache.getText('a') === 'b' ? probe(Cache, Protocol) : 'the global cache is empty');
    } catch (error) {
      return new Response(String(error.stack));
    }
  },
};
`;

/** Copies engines to where a bundled worker below `folder` imports them, and runs it; returns its answer. */
export async function answerOfWorker(folder, script) {
  const imports = [...readFileSync(script, 'utf8').matchAll(/(?:from|import)\s*["']([^"']+\.wasm)["']/g)].map(([, path]) => path);
  const engines = [...new Set(imports)].map((path) => join(dirname(script), path));
  if (engines.length === 0) throw new Error('the script imports no engine');
  for (const engine of engines) {
    mkdirSync(dirname(engine), { recursive: true });
    cpSync(join(folder, 'node_modules/wasmcached/dist', basename(engine)), engine);
  }
  return answerOfModules(folder, [{ type: 'ESModule', path: script }, ...engines.map((path) => ({ type: 'CompiledWasm', path }))]);
}

/** Bundles a worker of the folder as wrangler does, engines left outside, and runs it; returns its answer. */
export async function answerOfBundle(folder, name) {
  const outfile = join(folder, 'bundle', name);
  const conditions = ['workerd', 'worker', 'browser'];
  await build({ entryPoints: [join(folder, name)], outfile, bundle: true, format: 'esm', conditions, external: ['*.wasm'], logLevel: 'error' });
  return answerOfWorker(folder, outfile);
}

/** Runs the package's own files, without a bundler: as ES modules, or as CommonJS. */
export async function answerOfFiles(folder, isCommonJs) {
  const dist = 'node_modules/wasmcached/dist';
  const ending = isCommonJs ? 'cjs' : 'js';
  const [cache, protocol] = ['workerd', 'protocol-workerd'].map((name) => `./${dist}/${name}.${ending}`);
  const main = join(folder, 'worker.mjs');
  const modules = [{ type: 'ESModule', path: main }];
  for (const path of readdirSync(join(folder, dist), { recursive: true })) {
    if (path.endsWith(`.${ending}`) && !path.startsWith('data')) modules.push({ type: isCommonJs ? 'CommonJS' : 'ESModule', path: join(folder, dist, path) });
    if (path.endsWith('.wasm')) modules.push({ type: 'CompiledWasm', path: join(folder, dist, path) });
  }
  const head = isCommonJs
    ? `import one from '${cache}';\nimport two from '${protocol}';\nconst { Cache } = one;\nconst { Protocol } = two;\n`
    : `import { Cache } from '${cache}';\nimport { Protocol } from '${protocol}';\n`;
  writeFileSync(main, WORKER.replace(IMPORTS, head));
  return answerOfModules(folder, modules);
}

async function answerOfModules(folder, modules) {
  const program = `import { createRequire } from 'node:module';
const { Miniflare } = createRequire(${JSON.stringify(join(await tool('miniflare'), 'package.json'))})('miniflare');
const miniflare = new Miniflare({ modules: ${JSON.stringify(modules)}, modulesRoot: ${JSON.stringify(folder)}, compatibilityDate: "2026-01-01", cf: false, host: "127.0.0.1" });
try {
  console.log(await (await miniflare.dispatchFetch('http://worker/')).text());
} finally {
  await miniflare.dispose();
}
`;
  writeFileSync(join(folder, 'miniflare.mjs'), program);
  return output('node', ['miniflare.mjs'], { cwd: folder, env: { PATH: await pathOfNode() } });
}
