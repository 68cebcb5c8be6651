// The types that every entry file shares.

export type { CacheOptions, CacheProtocolOptions, SetOptions, Text } from './cache.js';
export type { Connection } from './connection.js';
export type { ProtocolStatistics } from './statistics.js';
