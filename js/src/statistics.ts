// From memcached's statistics to an object.

/** What `Cache.stats` returns. Sizes are bytes. */
export interface CacheStatistics {
  /** Entries now. */
  readonly items: number;
  /** Bytes of those entries: keys, values, bookkeeping. */
  readonly size: number;
  /** The budget. */
  readonly maxSize: number;
  /** Bytes of the budget that the index takes. */
  readonly indexSize: number;
  /** Linear memory of the instance: address space, of which the system provides what was used. */
  readonly memory: number;
  readonly hits: number;
  readonly misses: number;
  readonly sets: number;
  readonly deletes: number;
  /** Live entries that were removed for room. */
  readonly evictions: number;
}

const decoder = new TextDecoder();

/** `STAT name value` lines as an object. */
export function parseStatistics(output: Uint8Array): Record<string, string> {
  const statistics: Record<string, string> = {};
  for (const line of decoder.decode(output).split('\r\n')) {
    const [, name, value] = /^STAT (\S+) ?(.*)$/.exec(line) ?? [];
    if (name !== undefined) statistics[name] = value ?? '';
  }
  return statistics;
}

/** The numbers that matter to a program. */
export function summarize(statistics: Record<string, string>, memory: number): CacheStatistics {
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
