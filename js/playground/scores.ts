// The table of hits and items, and the sentences about them.

import { element, setText } from './dom.js';
import type { Policy } from './engine.js';
import { count, percent } from './format.js';
import { ratio } from './series.js';
import type { Session } from './session.js';

const NOTES: Record<Policy, string> = {
  s3fifo:
    'An LRU lets every new key travel through all of its memory before it leaves. S3-FIFO puts it on probation first, in a small ' +
    'part; only keys that are read again there enter the main part. So keys that come once push out little, and more of those ' +
    'that come again are found.',
  lru:
    'The engine now evicts in the order of use, to within a 72nd of its items, so the lines nearly meet. The rest is memory: a word ' +
    'more for each item, and segments that are partly empty.',
};

/** See the first line. */
export class Scores {
  /** Shows the present counts. */
  draw(session: Session, policy: Policy): void {
    const { total } = session.series;
    const statistics = session.engine.statistics();
    this.#row('ours', total.ours, total.reads, Number(statistics['curr_items']), Number(statistics['evictions']));
    this.#row('lru', total.lru, total.reads, session.lru.items, session.lru.evictions);
    setText(element('difference'), difference(total.ours - total.lru, total.reads));
    setText(element('policy-note'), NOTES[policy]);
  }

  #row(side: 'ours' | 'lru', hits: number, reads: number, items: number, evictions: number): void {
    setText(element(`${side}-ratio`), reads === 0 ? '–' : percent(ratio(hits, reads)));
    setText(element(`${side}-hits`), count(hits));
    setText(element(`${side}-items`), count(items));
    setText(element(`${side}-evictions`), count(evictions));
  }
}

function difference(hits: number, reads: number): string {
  if (reads === 0) return 'No reads yet.';
  if (hits === 0) return `Of ${count(reads)} reads, both found the same number.`;
  return `Of ${count(reads)} reads, wasmcached answered ${count(Math.abs(hits))} ${hits > 0 ? 'more' : 'fewer'}.`;
}
