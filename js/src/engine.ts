// The exports of the store engine (`wasm/src/cache/mod.rs`), and the numbers that both sides know.

/** See `wasm/src/cache/mod.rs`. Arguments and results are 32-bit numbers. */
export interface EngineExports {
  readonly memory: WebAssembly.Memory;
  create(memoryBytes: number, itemBytesMax: number, itemsMax: number, switches: number): number;
  mailbox(): number;
  window(bytes: number): number;
  tick(now: number): void;
  get(keyBytes: number): number;
  peek(keyBytes: number): number;
  set(keyBytes: number, valueBytes: number, mode: number, flags: number, expires: number): number;
  compare_and_set(keyBytes: number, valueBytes: number, mode: number, flags: number, expires: number): number;
  refuse(keyBytes: number): void;
  remove(keyBytes: number): number;
  touch(keyBytes: number, expires: number): number;
  add(keyBytes: number, deltaLow: number, deltaHigh: number, subtracts: number): number;
  get_many(count: number): number;
  set_many(count: number): number;
  remove_many(count: number): number;
  scan(cursorLow: number, cursorHigh: number, prefixBytes: number, count: number, withValues: number): number;
  departures(): number;
  count(): number;
  summarize(): void;
  sweep(steps: number): number;
}

/** Ways of storing. */
export const Mode = { set: 0, add: 1, replace: 2, append: 3, prepend: 4 } as const;

/** Results of calls that change an entry. */
export const Outcome = {
  done: 0,
  notStored: 1,
  exists: 2,
  missing: 3,
  tooLarge: 4,
  outOfMemory: 5,
  nonNumeric: 6,
  refused: 7,
} as const;

/** Bits of the switches of `create`. */
export const Switch = { noEvictions: 1, noCas: 2, lru: 4, departures: 8 } as const;

/** Words of the mailbox. Numbers of 64 bits have two. */
export const Word = {
  valueAt: 0,
  expiry: 1,
  flags: 2,
  unique: 3,
  number: 5,
  recordsAt: 7,
  recordsBytes: 8,
  valueBytes: 9,
  cursor: 10,
  summary: 12,
  seeds: 26,
} as const;

/** Words of the three secrets. */
export const SEED_WORDS = 12;
/** The cursor at the end of a scan. */
export const SCAN_END = 2 ** 32;
