// The settings of the cache and of the load.

import { element } from './dom.js';
import type { Policy } from './engine.js';
import type { LoadSettings, VALUES } from './load.js';

const MIB = 1024 * 1024;
const RANGES = { skew: (value: number) => value.toFixed(2), writes: perCent, scans: perCent };

/** Called when settings change. */
export interface ControlEvents {
  /** A cache of another size. */
  resized(): void;
  /** Another policy for the same cache. */
  policyChosen(policy: Policy): void;
  /** The button that starts, pauses and goes on. */
  runPressed(): void;
  /** The button that empties the cache. */
  resetPressed(): void;
}

/** See the first line. */
export class Controls {
  readonly #form = element<HTMLFormElement>('controls');
  readonly #run = element<HTMLButtonElement>('run');

  constructor(events: ControlEvents) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      events.runPressed();
    });
    element('reset').addEventListener('click', () => events.resetPressed());
    this.#form.addEventListener('input', (event) => {
      const { name } = event.target as HTMLInputElement;
      if (name in RANGES) this.#showRange(name as keyof typeof RANGES);
    });
    this.#form.addEventListener('change', (event) => {
      const { name } = event.target as HTMLInputElement;
      if (name === 'memory') events.resized();
      if (name === 'policy') events.policyChosen(this.policy);
    });
    // On a phone the pictures should lie beside the button, so that the settings are closed.
    const phone = matchMedia('(max-width: 800px)');
    const open = (): void => void element('settings').toggleAttribute('open', !phone.matches);
    phone.addEventListener('change', open);
    open();
    // A browser that restores the form after a reload restores the texts beside it as well, or not.
    for (const name of Object.keys(RANGES)) this.#showRange(name as keyof typeof RANGES);
  }

  /** The memory of the cache, in bytes. */
  get maxSize(): number {
    return this.#number('memory') * MIB;
  }

  /** The policy. */
  get policy(): Policy {
    return this.#text('policy') as Policy;
  }

  set policy(policy: Policy) {
    (this.#form.elements.namedItem('policy') as RadioNodeList).value = policy;
  }

  /** The load. */
  get load(): LoadSettings {
    return {
      requests: this.#number('requests'),
      keys: this.#number('keys'),
      skew: this.#number('skew'),
      values: this.#text('values') as keyof typeof VALUES,
      writes: this.#number('writes') / 100,
      scans: this.#number('scans') / 100,
      ttl: this.#number('ttl'),
    };
  }

  /** Shows what the button does next. */
  showRun(text: string): void {
    this.#run.textContent = text;
  }

  #showRange(name: keyof typeof RANGES): void {
    const output = this.#form.elements.namedItem(`${name}-value`) as HTMLOutputElement;
    const text = RANGES[name](this.#number(name));
    output.textContent = text;
    (this.#form.elements.namedItem(name) as HTMLInputElement).setAttribute('aria-valuetext', text);
  }

  #text(name: string): string {
    return (this.#form.elements.namedItem(name) as HTMLInputElement | RadioNodeList).value;
  }

  #number(name: string): number {
    return Number(this.#text(name));
  }
}

function perCent(value: number): string {
  return `${value} %`;
}
