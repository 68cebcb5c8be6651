// The types that every entry file of the cache shares.

export type { BytesLike } from './bytes.js';
export type { Cache, CacheStatistics } from './cache.js';
export type { BytesCodec, Codec, TextCodec } from './codec.js';
export type { ScanOptions, ScanResult } from './collection.js';
export type { CountOptions, EntryInfo } from './entries.js';
export type { FetchOptions, FetchStatus, Loader, LoaderContext, LoaderSignal, Signal } from './fetch.js';
export type { Key, KeyHandle } from './keys.js';
export type { Namespace, NamespaceOptions } from './namespace.js';
export type { CacheOptions, EvictionReason, SetOptions } from './options.js';
export type { LoadResult } from './snapshot.js';
export type { CacheView, ViewEntryInfo } from './view.js';
