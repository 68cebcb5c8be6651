// Counts of hits: since the beginning, and for each of the windows that the chart shows.

/** Reads of a window, and how many of them hit in each of the two caches. */
export interface HitWindow {
  reads: number;
  ours: number;
  lru: number;
}

/** When there are more windows than this, two become one. */
const WINDOWS_MAX = 100;
/** Reads of a window at the beginning. */
const READS_MIN = 2_000;

/** See the first line. */
export class HitSeries {
  /** Counts since the beginning. */
  readonly total: HitWindow = { reads: 0, ours: 0, lru: 0 };
  /** The full windows. */
  windows: HitWindow[] = [];
  /** The window that is not full yet. */
  open: HitWindow = { reads: 0, ours: 0, lru: 0 };
  /** Reads of a full window. */
  windowReads = READS_MIN;

  /** Counts one read. */
  add(isHit: boolean, isLruHit: boolean): void {
    for (const window of [this.total, this.open]) {
      window.reads++;
      if (isHit) window.ours++;
      if (isLruHit) window.lru++;
    }
    if (this.open.reads >= this.windowReads) this.#close();
  }

  #close(): void {
    this.windows.push(this.open);
    this.open = { reads: 0, ours: 0, lru: 0 };
    if (this.windows.length < WINDOWS_MAX) return;
    const joined: HitWindow[] = [];
    for (let i = 0; i + 1 < this.windows.length; i += 2) joined.push(sum(this.windows[i], this.windows[i + 1]));
    this.windows = joined;
    this.windowReads *= 2;
  }
}

/** The part of hits among reads; 0 without reads. */
export function ratio(hits: number, reads: number): number {
  return reads === 0 ? 0 : hits / reads;
}

function sum(one: HitWindow, other: HitWindow): HitWindow {
  return { reads: one.reads + other.reads, ours: one.ours + other.ours, lru: one.lru + other.lru };
}
