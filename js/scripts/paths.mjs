// The folders of a build.

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
export const source = join(root, 'src');
/** Sources that the build writes. */
export const generated = join(source, 'generated');
export const dist = join(root, 'dist');
export const modules = join(root, 'node_modules');
