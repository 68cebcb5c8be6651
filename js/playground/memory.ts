// The map of the memory: a square for each segment, in the order of addresses.

import { element, made, setText } from './dom.js';
import { contentOf, deadBytesOf, liveBytesOf, type Content, type MemoryMap } from './engine.js';
import { bytes } from './format.js';

/** Height of the map, and on a phone. */
const HEIGHT_PIXELS = 180;
const HEIGHT_PIXELS_NARROW = 290;
const NARROW_PIXELS = 480;
/** Least width of a square with its gap. */
const SQUARE_PIXELS_MIN = 4;

const LEGEND = [
  ['main', 'Main'],
  ['probation', 'Probation'],
  ['dead', 'Dead'],
  ['index', 'Index'],
  ['free', 'Free'],
] as const;

const NAMES: Record<Content, string> = {
  free: 'free',
  index: 'index',
  main: 'main',
  probation: 'probation',
  held: 'held for a reader',
};

/** See the first line. */
export class MemoryView {
  readonly #canvas: HTMLCanvasElement;
  readonly #readout = element('map-cell');
  readonly #totals = new Map<string, HTMLElement>();
  #map: MemoryMap = { segmentBytes: 0, words: new Uint32Array() };
  #selected = -1;
  #columns = 64;
  #square = SQUARE_PIXELS_MIN;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    for (const [name, title] of LEGEND) {
      const item = made('li', name);
      const total = made('b');
      item.append(made('i'), title, total);
      this.#totals.set(name, total);
      element('map-legend').append(item);
    }
    canvas.addEventListener('keydown', (event) => this.#key(event));
    canvas.addEventListener('pointermove', (event) => this.#point(event));
    canvas.addEventListener('pointerdown', (event) => this.#point(event));
    for (const end of ['pointerleave', 'blur']) canvas.addEventListener(end, () => this.#select(-1));
  }

  /** Draws a map. */
  draw(map: MemoryMap): void {
    this.#map = map;
    setText(element('segment-size'), bytes(map.segmentBytes));
    this.#paint();
    this.#showTotals();
    this.#describe();
  }

  #paint(): void {
    const width = this.#canvas.clientWidth;
    const room = width * (width < NARROW_PIXELS ? HEIGHT_PIXELS_NARROW : HEIGHT_PIXELS);
    const square = Math.floor(Math.sqrt(room / Math.max(1, this.#map.words.length)));
    this.#square = Math.max(SQUARE_PIXELS_MIN, square);
    this.#columns = Math.max(1, Math.floor((width + 1) / this.#square));
    const height = Math.ceil(this.#map.words.length / this.#columns) * this.#square;
    const scale = devicePixelRatio;
    const [pixels, lines] = [Math.round(width * scale), Math.round(height * scale)];
    if (this.#canvas.width !== pixels || this.#canvas.height !== lines) {
      [this.#canvas.width, this.#canvas.height] = [pixels, lines];
      this.#canvas.style.height = `${height}px`;
    }
    const context = this.#canvas.getContext('2d');
    if (context === null) return;
    const colors = palette();
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    this.#map.words.forEach((word, i) => this.#paintSquare(context, colors, word, i));
    if (this.#selected >= 0) this.#frame(context, colors.ink);
  }

  #paintSquare(context: CanvasRenderingContext2D, colors: Record<string, string>, word: number, index: number): void {
    const [x, y] = this.#corner(index);
    const size = this.#square - 1;
    const content = contentOf(word);
    const isWhole = content === 'index' || content === 'held';
    context.fillStyle = isWhole ? colors[content] : colors.free;
    context.fillRect(x, y, size, size);
    if (isWhole || content === 'free') return;
    const unit = size / this.#map.segmentBytes;
    const [live, dead] = [liveBytesOf(word) * unit, deadBytesOf(word) * unit];
    context.fillStyle = colors.dead;
    context.fillRect(x, y + size - live - dead, size, dead);
    context.fillStyle = colors[content];
    context.fillRect(x, y + size - live, size, live);
  }

  #frame(context: CanvasRenderingContext2D, color: string): void {
    const [x, y] = this.#corner(this.#selected);
    context.strokeStyle = color;
    context.lineWidth = 2;
    context.strokeRect(x - 0.5, y - 0.5, this.#square, this.#square);
  }

  #corner(index: number): [number, number] {
    return [(index % this.#columns) * this.#square, Math.floor(index / this.#columns) * this.#square];
  }

  #showTotals(): void {
    const { segmentBytes, words } = this.#map;
    const sums: Record<string, number> = { main: 0, probation: 0, dead: 0, index: 0, free: 0 };
    for (const word of words) {
      const content = contentOf(word);
      if (content === 'index') sums['index'] += segmentBytes;
      else if (content === 'main' || content === 'probation') sums[content] += liveBytesOf(word);
      sums['dead'] += deadBytesOf(word);
      if (content !== 'index' && content !== 'held') sums['free'] += segmentBytes - liveBytesOf(word) - deadBytesOf(word);
    }
    for (const [name, total] of this.#totals) setText(total, bytes(sums[name]));
    const parts = LEGEND.map(([name, title]) => `${title} ${bytes(sums[name])}`);
    this.#canvas.setAttribute('aria-label', `Map of ${words.length} segments: ${parts.join(', ')}`);
  }

  #describe(): void {
    const word = this.#map.words[this.#selected];
    if (word === undefined) return setText(this.#readout, '');
    const content = contentOf(word);
    const live = `${bytes(liveBytesOf(word))} live, ${bytes(deadBytesOf(word))} dead`;
    const rest = content === 'main' || content === 'probation' ? `: ${live}` : '';
    setText(this.#readout, `No. ${this.#selected}, ${NAMES[content]}${rest}`);
  }

  #select(index: number): void {
    if (index === this.#selected) return;
    this.#selected = index;
    this.#paint();
    this.#describe();
  }

  #point(event: PointerEvent): void {
    const column = Math.min(Math.floor(event.offsetX / this.#square), this.#columns - 1);
    const index = Math.floor(event.offsetY / this.#square) * this.#columns + Math.max(0, column);
    this.#select(index >= 0 && index < this.#map.words.length ? index : -1);
  }

  #key(event: KeyboardEvent): void {
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#columns, ArrowDown: this.#columns };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = this.#selected < 0 ? 0 : this.#selected + step;
    if (next >= 0 && next < this.#map.words.length) this.#select(next);
  }
}

/** The colours of the style sheet, light or dark. */
function palette(): Record<string, string> {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    main: color('accent'),
    probation: color('accent-soft'),
    index: color('index'),
    held: color('control'),
    dead: color('dead'),
    free: color('empty'),
    ink: color('ink'),
  };
}
