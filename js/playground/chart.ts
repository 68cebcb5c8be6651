// The chart of hit ratios: a line for the engine and one for the LRU, over the number of reads.

import { percent, short } from './format.js';
import { ratio, type HitSeries, type HitWindow } from './series.js';

const HEIGHT = 208;
const TOP = 8;
const BOTTOM = 24;
const LEFT = 44;
const RIGHT = 56;
/** Distance of two labels at the ends of the lines. */
const LABEL_PIXELS = 15;
/** Least number of windows for an axis that does not begin at 0. */
const WINDOWS_FOR_RANGE = 10;

/** Most marks of the axis of reads, besides 0. */
const TICKS_MAX = 5;

type Side = 'ours' | 'lru';

/** See the first line. */
export class Chart {
  readonly #place: HTMLElement;
  readonly #svg: SVGSVGElement;

  constructor(place: HTMLElement) {
    this.#place = place;
    this.#svg = svg('svg', { role: 'img' });
    place.append(this.#svg);
  }

  /** Draws the present counts. */
  draw(series: HitSeries): void {
    const width = this.#place.clientWidth;
    const windows = series.windows.length > 0 || series.open.reads === 0 ? series.windows : [series.open];
    const [low, high] = range(windows);
    const reads = Math.max(series.total.reads, 1);
    const y = (part: number): number => TOP + ((high - part) / (high - low)) * (HEIGHT - TOP - BOTTOM);
    const x = (at: number): number => LEFT + (at / reads) * (width - LEFT - RIGHT);
    this.#svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    this.#svg.setAttribute('aria-label', description(series));
    const parts: SVGElement[] = [clip(width), ...grid(width, [low, high], y)];
    if (windows.length > 0) {
      for (const at of ticks(series.total.reads)) parts.push(tick(x(at), at));
      for (const side of ['lru', 'ours'] as const) parts.push(line(windows, side, x, y));
      parts.push(...ends(windows, x(sumOf(windows)), y));
    } else {
      parts.push(svg('text', { x: LEFT + 12, y: y(0.625) + 4 }, 'Run the load, or read keys in the terminal.'));
    }
    this.#svg.replaceChildren(...parts);
  }
}

function description({ total }: HitSeries): string {
  if (total.reads === 0) return 'Hit ratios over time: no reads yet';
  const [ours, lru] = [ratio(total.ours, total.reads), ratio(total.lru, total.reads)];
  return `Hit ratios over ${total.reads} reads: wasmcached ${percent(ours)}, exact LRU ${percent(lru)}`;
}

/** The least and the greatest value of the axis, in tenths. The time in which the caches fill does not count. */
function range(windows: readonly HitWindow[]): [number, number] {
  if (windows.length < WINDOWS_FOR_RANGE) return [0, 1];
  const full = windows.slice(Math.floor(windows.length / 5));
  const values = full.flatMap((window) => [ratio(window.ours, window.reads), ratio(window.lru, window.reads)]);
  const low = Math.floor(Math.min(...values) * 10 - 0.2) / 10;
  const high = Math.ceil(Math.max(...values) * 10 + 0.2) / 10;
  return [Math.max(0, low), Math.min(1, high)];
}

function grid(width: number, [low, high]: [number, number], y: (part: number) => number): SVGElement[] {
  const step = high - low > 0.55 ? 0.25 : high - low > 0.35 ? 0.1 : 0.05;
  const parts: SVGElement[] = [];
  for (let i = 0; low + i * step <= high + 1e-9; i++) {
    const part = low + i * step;
    const at = Math.round(y(part)) + 0.5;
    parts.push(svg('line', { x1: LEFT, x2: width - RIGHT, y1: at, y2: at }));
    parts.push(svg('text', { x: LEFT - 8, y: at + 4, 'text-anchor': 'end' }, `${Math.round(part * 100)} %`));
  }
  return parts;
}

function clip(width: number): SVGElement {
  const path = svg('clipPath', { id: 'plot' });
  path.append(svg('rect', { x: LEFT, y: 0, width: Math.max(0, width - LEFT - RIGHT + 8), height: HEIGHT - BOTTOM + 1 }));
  return path;
}

/** Round numbers of reads, at most five. */
function ticks(reads: number): number[] {
  const power = 10 ** Math.floor(Math.log10(reads));
  const step = [power / 5, power / 2, power, power * 2].find((size) => reads / size <= TICKS_MAX) ?? power * 5;
  return Array.from({ length: Math.floor(reads / step) + 1 }, (_, i) => i * step).filter(Number.isInteger);
}

function tick(x: number, reads: number): SVGElement {
  return svg('text', { x, y: HEIGHT - 6, 'text-anchor': 'middle' }, reads === 0 ? '0 reads' : short(reads));
}

function line(windows: readonly HitWindow[], side: Side, x: (at: number) => number, y: (part: number) => number): SVGElement {
  let reads = 0;
  const points = windows.map((window) => {
    reads += window.reads;
    return `${x(reads).toFixed(1)} ${y(ratio(window[side], window.reads)).toFixed(1)}`;
  });
  return svg('path', { class: side, d: `M${points.join('L')}`, 'clip-path': 'url(#plot)' });
}

/** Dots and values at the ends of the lines; the values are apart even where the lines meet. */
function ends(windows: readonly HitWindow[], x: number, y: (part: number) => number): SVGElement[] {
  const last = windows[windows.length - 1];
  const values = { ours: ratio(last.ours, last.reads), lru: ratio(last.lru, last.reads) };
  const places = { ours: y(values.ours), lru: y(values.lru) };
  const apart = Math.max(0, LABEL_PIXELS - Math.abs(places.ours - places.lru)) / 2;
  const up = places.ours <= places.lru ? 1 : -1;
  const shifts = { ours: -up * apart, lru: up * apart };
  return (['lru', 'ours'] as const).flatMap((side) => [
    svg('circle', { class: side, cx: x, cy: places[side], r: 3 }),
    svg('text', { class: side, x: x + 8, y: places[side] + shifts[side] + 4 }, percent(values[side])),
  ]);
}

function sumOf(windows: readonly HitWindow[]): number {
  return windows.reduce((sum, window) => sum + window.reads, 0);
}

function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number>,
  text = '',
): SVGElementTagNameMap[K] {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  if (text !== '') node.textContent = text;
  return node;
}
