// The naive twin of the LRU beside the engine: a list that is searched from its end.

/** Hits of an exact LRU for the requests of a load. A program stores what it did not find. */
export function naiveHits(load, maxBytes) {
  const { requests, ttl } = load.settings;
  /** Oldest first. */
  let list = [];
  let hits = 0;
  let reads = 0;
  for (let made = 0; made < requests; made++) {
    load.next();
    const second = Math.floor(made / 10_000);
    let at = list.findLastIndex((item) => item.key === load.key);
    if (at >= 0 && list[at].expires !== 0 && list[at].expires <= second) {
      list.splice(at, 1);
      at = -1;
    }
    if (!load.isWrite) {
      reads++;
      if (at >= 0) {
        hits++;
        list.push(...list.splice(at, 1));
        continue;
      }
    }
    if (at >= 0) list.splice(at, 1);
    // Header, expiry, key and value in whole words, and a seventh of a bucket of the index.
    const words = Math.ceil((12 + (ttl === 0 ? 0 : 4) + load.key.length + load.valueBytes) / 4);
    list.push({ key: load.key, bytes: words * 4 + 64 / 7, expires: ttl === 0 ? 0 : second + ttl });
    let sum = list.reduce((total, item) => total + item.bytes, 0);
    let dropped = 0;
    while (sum > maxBytes) sum -= list[dropped++].bytes;
    list = list.slice(dropped);
  }
  return { hits, reads, items: list.length };
}
