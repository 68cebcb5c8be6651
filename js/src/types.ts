// The types that every entry file shares.

export type { CacheOptions, ProtocolOptions, SetOptions, Text } from './cache.js';
export type { Connection } from './connection.js';
export type { CacheStatistics } from './statistics.js';
