// Rounds of operations in turn, and their medians. Runs in browsers, too: CPU time where the runtime knows it, else wall
// time.

/** Kind of time that `now` returns. */
export const TIME = typeof globalThis.process?.cpuUsage === 'function' ? 'CPU' : 'wall';

const now = TIME === 'CPU' ? cpuNs : () => performance.now() * 1e6;

const WARM_UP_ROUNDS = 3;

/**
 * Runs the operations in rounds, in another order each round, so that none pays for the garbage of the same neighbour.
 * Each is a function that performs `count` operations. Returns nanoseconds an operation by name, a number a round.
 */
export function rounds(operations, { count, rounds: number }) {
  const names = Object.keys(operations);
  const times = Object.fromEntries(names.map((name) => [name, []]));
  const random = generator(1);
  for (let round = -WARM_UP_ROUNDS; round < number; round++) {
    for (const name of shuffled(names, random)) {
      const before = now();
      operations[name]();
      const ns = (now() - before) / count;
      if (round >= 0) times[name].push(ns);
    }
  }
  return times;
}

/** The middle of the numbers. */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The median of the quotients of two operations, each of one round: load that comes and goes concerns both. */
export function ratio(ours, theirs) {
  return median(ours.map((ns, round) => ns / theirs[round]));
}

/** Random numbers below 1 that repeat by seed (mulberry32). */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

function shuffled(names, random) {
  const all = [...names];
  for (let i = all.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [all[i], all[other]] = [all[other], all[i]];
  }
  return all;
}

function cpuNs() {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}
