// A project that declares neither the web's types nor Node's.

export * as cacheApi from 'wasmcached/cache-api';
export * as cacheManager from 'wasmcached/cache-manager';
export * as keyv from 'wasmcached/keyv';
export * as kv from 'wasmcached/kv';
export * as next from 'wasmcached/next';
export * as useCache from 'wasmcached/next/use-cache';
export * as unstorage from 'wasmcached/unstorage';
