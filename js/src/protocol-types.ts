// The types that every entry file of the protocol shares.

export type { BytesLike } from './bytes.js';
export type { Connection } from './connection.js';
export type { ProtocolOptions } from './protocol-options.js';
export type { ProtocolStatistics, StatisticsGroup } from './statistics.js';
