// Builds the playground: one HTML file that needs nothing else. `npm run build -- FOLDER` names the folder with the output
// of wasm-bindgen; `cargo xtask playground` runs this.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { optimize, writeGlue } from '../scripts/engines.mjs';

const root = dirname(fileURLToPath(import.meta.url));
const js = join(root, '..');
const input = resolve(process.argv[2] ?? join(js, '../target/js-playground'));
const output = join(js, '../target/playground');
const generated = join(root, 'generated');

if (!existsSync(join(input, 'engine_bg.wasm'))) {
  console.error(`no engine in ${input}; run \`cargo xtask playground\``);
  process.exit(1);
}
for (const folder of [generated, output]) mkdirSync(folder, { recursive: true });
optimize(join(input, 'engine_bg.wasm'), join(output, 'engine.wasm'));
const wasm = readFileSync(join(output, 'engine.wasm'));
const base64 = wasm.toString('base64');
writeFileSync(join(generated, 'base64.ts'), `/** The engine. */\nexport const base64: string =\n  '${base64}';\n`);
writeGlue(generated, wasm, input);
execFileSync(process.execPath, [join(js, 'node_modules/typescript/bin/tsc'), '-p', root], { stdio: 'inherit' });
const script = await bundle('main.ts', { format: 'iife', minify: true });
const page = assemble(script);
writeFileSync(join(output, 'index.html'), page);
// The tests compute the same numbers with these in Node.
writeFileSync(join(output, 'parts.mjs'), await bundle('parts.ts', { format: 'esm' }));
console.log(`index.html: ${page.length} bytes, ${gzipSync(page, { level: 9 }).length} gzipped`);

async function bundle(entry, options) {
  const ownGlue = {
    name: 'own glue',
    setup(build) {
      build.onResolve({ filter: /generated\/engine\.js$/ }, ({ importer }) => {
        return importer.startsWith(join(js, 'src')) ? { path: join(root, 'glue.ts') } : undefined;
      });
    },
  };
  const file = join(root, entry);
  const common = { entryPoints: [file], bundle: true, write: false, target: 'es2022', charset: 'utf8', legalComments: 'none' };
  const { outputFiles } = await build({ ...common, plugins: [ownGlue], ...options });
  return outputFiles[0].text;
}

/** Script and style stand in the page. The policy names them by their hashes, and allows nothing from anywhere. */
function assemble(script) {
  const style = readFileSync(join(root, 'style.css'), 'utf8');
  const inScript = script.replaceAll('</script', '<\\/script');
  const policy = [
    "default-src 'none'",
    `script-src '${hash(inScript)}' 'wasm-unsafe-eval'`,
    `style-src '${hash(style)}'`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const parts = { policy, style, script: inScript };
  return readFileSync(join(root, 'index.html'), 'utf8').replace(/\{\{(\w+)\}\}/g, (_, name) => parts[name]);
}

function hash(text) {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
