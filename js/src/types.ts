// The types that every entry file of the cache shares.

export type { BytesLike } from './bytes.js';
export type { Cache, CacheStatistics } from './cache.js';
export type { CountOptions, EntryInfo, ScanResult } from './entries.js';
export type { Key, KeyHandle } from './keys.js';
export type { Namespace } from './namespace.js';
export type { CacheOptions, EvictionReason, SetOptions } from './options.js';
