// Builds dist/ from src/ and the engines. `npm run build -- FOLDER` names the folder of the engines;
// `cargo xtask js` runs this.

import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildScripts } from './bundle.mjs';
import { buildEngines } from './engines.mjs';
import { dist, generated, root } from './paths.mjs';
import { buildTypes } from './types.mjs';

const input = resolve(process.argv[2] ?? join(root, '../target/js'));

for (const folder of [generated, dist]) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
}
const engines = buildEngines(input);
await buildTypes(await buildScripts(engines));
// npm packs no file outside the package's folder.
for (const file of ['LICENSE-APACHE', 'LICENSE-MIT']) cpSync(join(root, '..', file), join(root, file));
