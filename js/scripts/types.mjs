// The declarations of dist/: one file an entry, readable by TypeScript 5.4 and newer, with and without `dom`.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rollup } from 'rollup';
import { dts } from 'rollup-plugin-dts';
import { DECLARATIONS } from './entries.mjs';
import { dist, modules, root } from './paths.mjs';

/** Names that only `dom` or a newer library declares: they must not be in a published type, unless as text for `Global`. */
const FOREIGN = /(?<!')\b(?:WebAssembly|BufferSource|AllowSharedBufferSource|Response|Request|AbortSignal|Disposable|NodeJS)\b/;

/** The type of the engines' files, where a bundler makes modules of them. */
const WASM = '/** A compiled engine: a `WebAssembly.Module`. */\ndeclare const module: object;\nexport default module;\n';

/** Checks the sources and writes `NAME.d.ts` and `NAME.d.cts`; `exports` has the names that each script exports. */
export async function buildTypes(exports) {
  const folder = mkdtempSync(join(tmpdir(), 'wasmcached-types-'));
  try {
    // The adapters import the package by its name, which bundlers must not resolve to a source.
    const flags = ['-p', join(root, 'tsconfig.types.json'), '--emitDeclarationOnly', '--outDir', folder];
    execFileSync(process.execPath, [join(modules, 'typescript/bin/tsc'), ...flags], { stdio: 'inherit' });
    for (const [name, { source: file, script }] of Object.entries(DECLARATIONS)) {
      const bundle = await rollup({ input: join(folder, `${file}.d.ts`), external: [/^[^./]/], plugins: [dts()] });
      const { output } = await bundle.generate({ format: 'es' });
      const text = compatible(typesOnly(output[0].code, exports[script]), name);
      for (const ending of ['d.ts', 'd.cts']) writeFileSync(join(dist, `${name}.${ending}`), text);
    }
    for (const ending of ['d.ts', 'd.cts']) writeFileSync(join(dist, `wasm.${ending}`), WASM);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Marks as types what the script does not export: the roll-up exports every class as a value. */
function typesOnly(code, values) {
  return code.replace(/^export \{ (.*) \};$/m, (_, names) => {
    const [real, types] = [true, false].map((isReal) => names.split(', ').filter((one) => values.includes(one.split(' ').pop()) === isReal));
    const lines = [];
    if (real.length > 0) lines.push(`export { ${real.join(', ')} };`);
    if (types.length > 0) lines.push(`export type { ${types.join(', ')} };`);
    return lines.join('\n');
  });
}

/**
 * Before TypeScript 5.7 `Uint8Array` has no parameter; since then a `Uint8Array` without one is refused where the platform
 * wants its own memory, as `new Response` does. The result of `slice` is right in both.
 */
const BYTES = `/** Bytes with memory of their own. */\ntype Bytes = ReturnType<Uint8Array['slice']>;\n\n`;

function compatible(code, name) {
  let text = code.replaceAll('Uint8Array<ArrayBuffer>', 'Bytes').replaceAll('<ArrayBufferLike>', '');
  if (/\bBytes\b/.test(text)) text = BYTES + text;
  if (text.includes('[Symbol.dispose]') || text.includes('[Symbol.asyncDispose]')) {
    text = `/// <reference lib="esnext.disposable" />\n${text}`;
  }
  const foreign = FOREIGN.exec(text.replace(/\/\*\*.*?\*\//gs, ''));
  if (foreign !== null) throw new Error(`dist/${name}.d.ts names ${foreign[0]}, which some projects do not declare; declare its shape`);
  return text;
}
