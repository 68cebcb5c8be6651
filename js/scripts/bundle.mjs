// The scripts of dist/: ES modules that share chunks, and the same as CommonJS.

import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build, transform } from 'esbuild';
import { SCRIPTS, declarationOf } from './entries.mjs';
import { dist, source } from './paths.mjs';

/** Newest syntax in the scripts: that of Node 20 and of browsers of 2022. */
const TARGET = 'es2022';

/** Builds the scripts; `globals` has the name of each engine's global. Returns the names that each script exports. */
export async function buildScripts(globals) {
  const entries = Object.entries(SCRIPTS);
  const { metafile } = await build({
    metafile: true,
    absWorkingDir: dist,
    entryPoints: entries.map(([name, file]) => ({ in: join(source, file), out: name })),
    outdir: dist,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'neutral',
    target: TARGET,
    charset: 'ascii',
    chunkNames: 'chunks/[hash]',
    // The package's own name stays: its conditions choose the runtime's entry.
    external: ['wasmcached', 'wasmcached/*', 'node:*', 'cloudflare:*'],
    plugins: [{ name: 'engines', setup: (plugin) => engines(plugin, globals) }],
    logLevel: 'warning',
  });
  // A chunk that several entries share lies in a folder of its own.
  for (const file of Object.keys(metafile.outputs).filter((name) => name.startsWith('chunks/'))) {
    const text = readFileSync(join(dist, file), 'utf8');
    writeFileSync(join(dist, file), text.replaceAll('"./data/', '"../data/'));
  }
  for (const path of Object.keys(metafile.outputs)) withoutEmptyImports(join(dist, path));
  for (const [name] of entries) nameTypes(join(dist, `${name}.js`), declarationOf(name));
  await toCommonJs(entries.map(([name]) => `${name}.js`));
  return Object.fromEntries(entries.map(([name]) => [name, metafile.outputs[`${name}.js`].exports]));
}

/**
 * Removes imports of chunks from which nothing is imported. They keep the order of side effects, which the chunks do not
 * have, and bundlers warn of them.
 */
function withoutEmptyImports(file) {
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace(/^import "\.\/(?:chunks\/)?[A-Z0-9]{8}\.js";\n/gm, ''));
}

/** Names the declarations of an entry in its first line: registries that read no package.json look there. */
function nameTypes(file, declaration) {
  writeFileSync(file, `/* @ts-self-types="./${declaration}.d.ts" */\n${readFileSync(file, 'utf8')}`);
}

/** Leaves engines outside the scripts, beside them. */
function engines(plugin, globals) {
  plugin.onResolve({ filter: /\.wasm(\?module)?$/ }, ({ path }) => ({ path: `./${basename(path)}`, external: true }));
  plugin.onResolve({ filter: /^\.\/data\// }, ({ path }) => ({ path, external: true, sideEffects: true }));
  plugin.onResolve({ filter: /^engine-data\// }, ({ path }) => ({ path, namespace: 'engine-data', sideEffects: true }));
  plugin.onLoad({ filter: /.*/, namespace: 'engine-data' }, ({ path }) => {
    const name = basename(path);
    return { contents: `import './data/${name}.js';\nexport const ${name}Engine = /* @__PURE__ */ Symbol.for('${globals[name]}');\n` };
  });
}

/** Writes a `.cjs` beside each of these modules and of the chunks that they import. */
async function toCommonJs(files) {
  const done = new Set();
  for (const file of files) await convert(file, done);
}

async function convert(file, done) {
  if (done.has(file)) return;
  done.add(file);
  const text = readFileSync(join(dist, file), 'utf8');
  const chunks = [...text.matchAll(/from "(\.\.?\/(?:chunks\/)?([A-Z0-9]{8}\.js))"/g)];
  for (const [, , chunk] of chunks) await convert(join('chunks', chunk), done);
  const { code } = await transform(text, { format: 'cjs', target: TARGET, platform: 'node', charset: 'ascii' });
  const renamed = code.replace(/require\("(\.\.?\/(?:chunks\/)?[A-Z0-9]{8})\.js"\)/g, 'require("$1.cjs")');
  writeFileSync(join(dist, file.replace(/\.js$/, '.cjs')), renamed);
}
