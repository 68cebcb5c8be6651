// The folder that is published to JSR: `node scripts/jsr.mjs FOLDER`, then `deno publish` there. JSR takes ES modules only,
// and no declaration that names a library: Deno always has that of `Symbol.dispose`.

import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { dist, root } from './paths.mjs';

const folder = resolve(process.argv[2]);
mkdirSync(folder, { recursive: true });
for (const file of ['jsr.json', 'README.md', 'LICENSE-APACHE', 'LICENSE-MIT']) cpSync(join(root, file), join(folder, file));
cpSync(dist, join(folder, 'dist'), { recursive: true, filter: (path) => !/\.c(?:ts|js)$|package\.json$/.test(path) });
for (const name of readdirSync(join(folder, 'dist')).filter((file) => file.endsWith('.d.ts'))) {
  const path = join(folder, 'dist', name);
  writeFileSync(path, readFileSync(path, 'utf8').replace(/^\/\/\/ <reference lib=.*\n/, ''));
}
