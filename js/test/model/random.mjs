// Random numbers that a seed repeats.

/** A generator of numbers (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    /** An integer from 0 to below `end`. */
    below: (end) => Math.floor(next() * end),
    /** True once in `times`. */
    once: (times) => next() * times < 1,
    /** One of these. */
    of: (all) => all[Math.floor(next() * all.length)],
  };
}
