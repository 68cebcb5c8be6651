// The program of every row. It uses only methods that every runtime must have, and returns ANSWER if all is right.

export const ANSWER = 'wasmcached answers';

/** Source of a function `probe(Cache, Protocol)`, for projects of any kind: no import, no syntax newer than 2020. */
export const PROBE = `
function probe(Cache, Protocol) {
  const cache = new Cache({ maxSize: 1024 * 1024 });
  const check = (what, found, expected) => {
    if (found !== expected) throw new Error(what + ': ' + String(found) + ' instead of ' + String(expected));
  };
  check('a miss', cache.getText('absent'), undefined);
  cache.set('text', 'Gr\\u00fc\\u00dfe, \\u4e16\\u754c \\ud83d\\ude00');
  check('text', cache.getText('text'), 'Gr\\u00fc\\u00dfe, \\u4e16\\u754c \\ud83d\\ude00');
  cache.set('bytes', new Uint8Array([97, 98, 99]));
  check('bytes', cache.getText('bytes'), 'abc');
  cache.set('\\u9375', 'k');
  check('a key of Unicode', cache.getText('\\u9375'), 'k');
  check('delete', cache.delete('text'), true);
  check('deleted', cache.has('text'), false);
  let kept = 0;
  for (let i = 0; i < 5000; i++) cache.set('key ' + i, ('value ' + i + ' ').repeat(40));
  for (let i = 0; i < 5000; i++) {
    const value = cache.getText('key ' + i);
    if (value === undefined) continue;
    kept += 1;
    check('a value', value, ('value ' + i + ' ').repeat(40));
  }
  check('a full cache', kept > 1000 && kept < 4000, true);
  const reply = new Protocol({ maxSize: 1024 * 1024 }).execute('set a 0 0 1\\r\\nb\\r\\nget a\\r\\n');
  check('the protocol', String.fromCharCode(...reply), 'STORED\\r\\nVALUE a 0 1\\r\\nb\\r\\nEND\\r\\n');
  return '${ANSWER}';
}
`;

/** A module that exports `probe`. */
export const PROBE_MODULE = `${PROBE}export { probe };\n`;

/** The head of an ES module that uses both engines. */
export const IMPORTS = "import { Cache } from 'wasmcached';\nimport { Protocol } from 'wasmcached/protocol';\n";
/** The head of a CommonJS module that uses both engines. */
export const REQUIRES = "const { Cache } = require('wasmcached');\nconst { Protocol } = require('wasmcached/protocol');\n";

/** The end of a program that prints the answer. */
export const PRINT = `${PROBE}console.log(probe(Cache, Protocol));\n`;

/** Files of such a program, as an ES module. */
export const importing = () => ({ 'main.mjs': IMPORTS + PRINT });

/** The same as CommonJS. */
export const requiring = () => ({ 'main.cjs': REQUIRES + PRINT });
