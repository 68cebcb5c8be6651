// The examples of the README for adapters run as printed.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const examples = [...readme.matchAll(/^```js adapters\n(.*?)^```/gms)].map(([, code]) => code);
/** The names that this folder has for the majors of Keyv. */
const INSTALLED = { keyv: 'keyv6', keyv5: 'keyv' };

it('there are examples', () => expect(examples.length).toBe(5));

it.each(examples.map((code) => [/'(wasmcached\/[\w-]+)'/.exec(code)[1], code]))('that of %s', (_, code) => {
  const lines = code.split('\n').map((line) => {
    const [, expression, expected] = /^(.+?); \/\/ => (.+)$/.exec(line) ?? [];
    return expression === undefined ? line : `assert.deepEqual(${expression}, ${expected});`;
  });
  const script = lines.join('\n').replace(/ from '(keyv5?)'/g, (_, name) => ` from '${INSTALLED[name]}'`);
  execFileSync(process.execPath, ['--input-type=module', '-e', `import assert from 'node:assert/strict';\n${script}`], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
});
