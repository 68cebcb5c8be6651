// The history of the prompt: texts that were typed before. The text that is not sent yet is kept below it.

const ENTRIES_MAX = 200;

/** See the first line. */
export class History {
  readonly #entries: string[] = [];
  #at = 0;
  #draft = '';

  /** Adds a text and goes to the end. */
  add(text: string): void {
    if (this.#entries.at(-1) !== text) this.#entries.push(text);
    if (this.#entries.length > ENTRIES_MAX) this.#entries.shift();
    this.#at = this.#entries.length;
  }

  /** The next older text; undefined if there is none. `present` is kept if it was typed just now. */
  older(present: string): string | undefined {
    if (this.#at === 0) return undefined;
    if (this.#at === this.#entries.length) this.#draft = present;
    return this.#entries[--this.#at];
  }

  /** The next younger text. */
  newer(): string | undefined {
    if (this.#at >= this.#entries.length) return undefined;
    this.#at++;
    return this.#entries[this.#at] ?? this.#draft;
  }
}
