// memcached's statistics: the request for a group, and the answer as an object.

import { utf8 } from './text.js';

/** The result of `Protocol.stats`. Sizes are in bytes. */
export interface ProtocolStatistics {
  /** Number of entries. */
  readonly items: number;
  /** Bytes of the entries: keys, values, bookkeeping. */
  readonly size: number;
  /** The budget. */
  readonly maxSize: number;
  /** Bytes of the budget that the index takes. */
  readonly indexSize: number;
  /** Bytes of the instance's linear memory. The system provides only the part that has been used. */
  readonly memory: number;
  readonly hits: number;
  readonly misses: number;
  readonly sets: number;
  readonly deletes: number;
  /** Live entries that were removed to make room. */
  readonly evictions: number;
}

const GROUPS = ['settings', 'items', 'slabs', 'sizes', 'conns'] as const;

/** A group of memcached's statistics; without one there are the general ones. */
export type StatisticsGroup = (typeof GROUPS)[number];

/**
 * The request for a group. The list is closed: the name becomes a part of the request, and what follows a line's end in it
 * would be another request.
 */
export function statisticsRequest(group: StatisticsGroup | undefined): string {
  if (group === undefined) return 'stats\r\n';
  if (!GROUPS.includes(group)) {
    const shown = typeof group === 'string' ? JSON.stringify((group as string).slice(0, 40)) : typeof group;
    throw new TypeError(`no statistics ${shown}; the groups are ${GROUPS.join(', ')}. Other requests go through execute()`);
  }
  return `stats ${group}\r\n`;
}

/** Parses `STAT name value` lines. */
export function parseStatistics(output: Uint8Array): Record<string, string> {
  const statistics: Record<string, string> = {};
  for (const line of utf8().decode(output).split('\r\n')) {
    const [, name, value] = /^STAT (\S+) ?(.*)$/.exec(line) ?? [];
    if (name !== undefined) statistics[name] = value ?? '';
  }
  return statistics;
}

/** Selects the statistics that programs use most. */
export function summarize(statistics: Record<string, string>, memory: number): ProtocolStatistics {
  const number = (name: string): number => Number(statistics[name] ?? 0);
  return {
    items: number('curr_items'),
    size: number('bytes'),
    maxSize: number('limit_maxbytes'),
    indexSize: number('hash_bytes'),
    memory,
    hits: number('get_hits'),
    misses: number('get_misses'),
    sets: number('cmd_set'),
    deletes: number('delete_hits'),
    evictions: number('evictions'),
  };
}
