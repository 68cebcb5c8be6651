// The adapters as a program loads them: both kinds of module, and their types beside those of the upstreams.

import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const require = createRequire(import.meta.url);
const compiler = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));

const NAMES = {
  'cache-api': ['ResponseCache', 'ResponseCaches'],
  'cache-manager': ['CacheManager5Store', 'Keyv5Store'],
  keyv: ['Keyv5Store', 'KeyvStore'],
  kv: ['KvNamespace'],
  next: ['default', 'nextCacheHandler'],
  'next/use-cache': ['default', 'nextUseCacheHandler'],
  unstorage: ['default'],
};

describe('the package', () => {
  it.each(Object.entries(NAMES))('has %s for import and require', (name, exports) => {
    const script = (load) => `${load}.then((found) => console.log(JSON.stringify(Object.keys(found).sort())))`;
    const module = execFileSync(
      process.execPath,
      ['--input-type=module', '-e', script(`import('wasmcached/${name}')`)],
      {
        cwd: fileURLToPath(new URL('.', import.meta.url)),
        encoding: 'utf8',
      },
    );
    expect(JSON.parse(module)).toEqual(exports);
    expect(Object.keys(require(`wasmcached/${name}`)).sort()).toEqual(exports);
    // The classes of both kinds take the same cache.
    if (name === 'keyv')
      expect(() => new (require('wasmcached/keyv').KeyvStore)(new (require('wasmcached').Cache)())).not.toThrow();
  });

  it.each([
    [
      'the upstreams',
      'use.ts',
      ['--skipLibCheck', '--lib', 'es2023,dom,dom.iterable,esnext.disposable', '--types', ''],
    ],
    [
      'Workers',
      'workers.ts',
      ['--skipLibCheck', '--lib', 'es2023,esnext.disposable', '--types', '@cloudflare/workers-types'],
    ],
    ['a project without any', 'bare.ts', ['--lib', 'es2022', '--types', '']],
  ])('has types for %s', (_, file, flags) => {
    const path = fileURLToPath(new URL(`types/${file}`, import.meta.url));
    const all = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      ...flags,
      path,
    ];
    execFileSync(process.execPath, [compiler, ...all], { stdio: 'inherit' });
  });

  it.each(Object.keys(NAMES))('says in %s what it wants in place of a cache', (name) => {
    const stores = Object.entries(require(`wasmcached/${name}`)).filter(([export_]) =>
      /Store$|Namespace$|^Response/.test(export_),
    );
    for (const [, Store] of stores) {
      for (const wrong of [undefined, null, {}, 5, new Map()])
        expect(() => new Store(wrong)).toThrow(/give the adapter a cache: new Cache/);
    }
  });
});
