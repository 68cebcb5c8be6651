// The terminal: a prompt with history and completion, and a log of what was typed and answered.

import { COMMANDS, EXAMPLES, completions, helpOf } from './commands.js';
import { element, made } from './dom.js';
import { bytesOf } from './engine.js';
import { explain } from './explain.js';
import { History } from './history.js';
import { keysOf, parse, type Request } from './request.js';

/** Executes the requests of a terminal. */
export interface Executor {
  execute(request: Request): string;
  /** Forgets an incomplete request. */
  reconnect(): void;
  /** Whether the engine closed the connection. */
  isClosed(): boolean;
}

/** Lines of one reply that are shown. */
const REPLY_LINES_MAX = 120;
/** Entries of the log that are kept. */
const LOG_ENTRIES_MAX = 600;
/** Longest value that the prompt waits for. */
const TYPED_BYTES_MAX = 4096;
/** Completions that are shown below the prompt. */
const SHOWN_MAX = 8;

/** See the first line. */
export class Terminal {
  readonly #executor: Executor;
  readonly #log = element('log');
  readonly #prompt = element<HTMLInputElement>('prompt');
  readonly #hint = element('hint');
  readonly #history = new History();
  readonly #keys = new Set<string>();
  /** A command line whose data is missing. */
  #waiting: Request | undefined;
  /** The completions through which Tab goes, while nothing else is typed. */
  #cycle: string[] = [];
  #isDismissed = false;

  constructor(executor: Executor) {
    this.#executor = executor;
    element<HTMLFormElement>('line').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit(this.#prompt.value);
    });
    this.#prompt.addEventListener('keydown', (event) => this.#key(event));
    this.#prompt.addEventListener('paste', (event) => this.#paste(event));
    this.#prompt.addEventListener('input', () => {
      this.#cycle = [];
      this.#isDismissed = false;
      this.#showHint();
    });
    this.#log.addEventListener('click', () => {
      if (getSelection()?.isCollapsed !== false) this.#prompt.focus({ preventScroll: true });
    });
    for (const example of EXAMPLES) element('examples').append(this.#example(example.title, example.text));
    this.#showHint();
  }

  /** Adds a sentence of the page to the log. */
  note(text: string): void {
    this.#append(made('p', 'explained', text));
  }

  /** Offers keys for completion. */
  offerKeys(keys: Iterable<string>): void {
    for (const key of keys) this.#keys.add(key);
  }

  /** Forgets an incomplete request, for a new cache. */
  restart(): void {
    this.#await(undefined);
  }

  #submit(text: string): void {
    this.#prompt.value = '';
    this.#cycle = [];
    if (this.#waiting !== undefined) this.#submitData(this.#waiting, text);
    else if (text.trim() !== '') this.#submitLine(text);
    this.#showHint();
  }

  #submitLine(text: string): void {
    this.#history.add(text);
    this.#append(made('pre', 'typed', text));
    for (const request of parse(text)) {
      if (request.dataBytes !== undefined && request.data === undefined) this.#offer(request);
      else this.#execute(request);
    }
  }

  /** Asks for the data, unless the engine refuses the line already. */
  #offer(request: Request): void {
    const bytes = request.dataBytes ?? 0;
    if (bytes === 0) return this.#execute({ ...request, data: '' });
    if (bytes <= TYPED_BYTES_MAX) return this.#await(request);
    this.#execute(request);
    this.#executor.reconnect();
    this.note(`Nobody types ${bytes} bytes: the command is sent without them, and cancelled.`);
  }

  #submitData(request: Request, typed: string): void {
    const data = typed.replaceAll('\\r\\n', '\r\n');
    const missing = (request.dataBytes ?? 0) - bytesOf(data);
    this.#append(made('pre', 'typed data', typed));
    if (missing > 0) {
      const plural = missing === 1 ? 'byte is' : 'bytes are';
      this.note(`${missing} ${plural} missing: ${request.name} announced ${request.dataBytes}. Type the whole value, or press Escape.`);
      return;
    }
    this.#await(undefined);
    this.#execute({ ...request, data });
  }

  #await(request: Request | undefined): void {
    this.#waiting = request;
    this.#prompt.setAttribute('aria-label', request === undefined ? 'Command' : `Data of ${request.name}, ${request.dataBytes} bytes`);
    element('prompt-label').textContent = request === undefined ? '›' : '·';
  }

  #execute(request: Request): void {
    for (const key of keysOf(request)) this.#keys.add(key);
    const reply = this.#executor.execute(request);
    const isRefused = /^(ERROR|CLIENT_ERROR|SERVER_ERROR)/.test(reply);
    const lines = reply.replace(/\r\n$/, '').split('\r\n');
    // A second error is about the rest of the data, which the engine took for a command.
    if (isRefused && request.data !== undefined) lines.length = 1;
    const rest = lines.length - REPLY_LINES_MAX;
    if (reply !== '') this.#append(made('pre', isRefused ? 'refused' : '', lines.slice(0, REPLY_LINES_MAX).map(printable).join('\n')));
    if (rest > 0) this.note(`${rest} more lines are not shown.`);
    const explanation = explain(request, reply);
    if (explanation !== undefined) this.note(explanation);
    if (isRefused) this.#executor.reconnect();
    if (this.#executor.isClosed()) this.note('The connection is closed. The next command opens a new one.');
  }

  #append(node: HTMLElement): void {
    this.#log.append(node);
    while (this.#log.childElementCount > LOG_ENTRIES_MAX) this.#log.firstElementChild?.remove();
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  #key(event: KeyboardEvent): void {
    if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    switch (event.key) {
      case 'Tab':
        if (!event.shiftKey && this.#complete()) event.preventDefault();
        return;
      case 'ArrowUp':
      case 'ArrowDown': {
        const text = event.key === 'ArrowUp' ? this.#history.older(this.#prompt.value) : this.#history.newer();
        if (text !== undefined) this.#put(text);
        event.preventDefault();
        return;
      }
      case 'Escape':
        this.#escape();
    }
  }

  /** Puts the next completion into the prompt; false if there is none, and Tab goes on through the page. */
  #complete(): boolean {
    if (this.#isDismissed || this.#waiting !== undefined) return false;
    const input = this.#prompt.value;
    if (this.#cycle.length === 0) this.#cycle = completions(input, this.#keys);
    const [next, ...others] = this.#cycle;
    if (next === undefined) return false;
    const isOnly = others.length === 0;
    const cycle = isOnly ? [] : [...others, next];
    this.#put(isOnly && helpOf(next)?.parameters ? `${next} ` : next);
    this.#cycle = cycle;
    this.#showHint();
    return true;
  }

  #escape(): void {
    if (this.#waiting !== undefined) {
      this.note(`${this.#waiting.name} is cancelled.`);
      this.#await(undefined);
    }
    this.#isDismissed = true;
    this.#cycle = [];
    this.#showHint();
  }

  #put(text: string): void {
    this.#prompt.value = text;
    this.#cycle = [];
    this.#prompt.setSelectionRange(text.length, text.length);
    this.#showHint();
  }

  /** Several pasted lines are sent one after the other, as to a real terminal. */
  #paste(event: ClipboardEvent): void {
    const text = event.clipboardData?.getData('text/plain') ?? '';
    if (!text.trimEnd().includes('\n')) return;
    event.preventDefault();
    for (const line of text.trimEnd().split(/\r?\n/)) this.#submit(line);
  }

  #showHint(): void {
    const { value } = this.#prompt;
    if (this.#waiting !== undefined) {
      const typed = bytesOf(value.replaceAll('\\r\\n', '\r\n'));
      this.#hint.textContent = `Data: ${typed} of ${this.#waiting.dataBytes} bytes. Escape cancels.`;
      return;
    }
    const candidates = this.#cycle.length > 0 ? this.#cycle : completions(value, this.#keys);
    const help = helpOf(value.split(' ', 1)[0]);
    if (help !== undefined && (value.includes(' ') || candidates.length === 0)) {
      this.#hint.replaceChildren(signature(help.name, help.parameters, value), ` ${help.summary}`);
    } else if (value !== '' && candidates.length > 0) {
      const names = candidates.slice(0, SHOWN_MAX).join('  ');
      this.#hint.replaceChildren(this.#isDismissed ? 'Commands: ' : 'Tab: ', made('code', '', names));
    } else {
      this.#hint.textContent = `${COMMANDS.length} commands: type a letter, and Tab completes. ↑ and ↓ walk through what was typed. Escape, then Tab, leaves the prompt.`;
    }
  }

  #example(title: string, text: string): HTMLElement {
    const item = made('li');
    const use = made('button', 'use');
    use.type = 'button';
    use.append(made('span', '', title), made('code', '', text));
    use.addEventListener('click', () => {
      this.#await(undefined);
      this.#put(text);
      this.#prompt.focus();
    });
    const copy = made('button', 'copy', 'Copy');
    copy.type = 'button';
    copy.setAttribute('aria-label', `Copy: ${text}`);
    copy.addEventListener('click', () => void this.#copy(copy, use));
    item.append(use, copy);
    return item;
  }

  /** Where a page may not write to the clipboard, the text is selected instead. */
  async #copy(button: HTMLButtonElement, use: HTMLElement): Promise<void> {
    const code = use.lastElementChild ?? use;
    let result = 'Copied';
    try {
      await navigator.clipboard.writeText(code.textContent ?? '');
    } catch {
      getSelection()?.selectAllChildren(code);
      result = 'Selected';
    }
    button.textContent = result;
    setTimeout(() => (button.textContent = 'Copy'), 1500);
  }
}

/** The form of a command, with the part in bold that is typed now. */
function signature(name: string, parameters: string, value: string): HTMLElement {
  const code = made('code');
  const parts = [name, ...parameters.split(/ (?=[<[])/)];
  const now = Math.min(value.trimStart().split(' ').length - 1, parts.length - 1);
  parts.forEach((part, i) => code.append(i === now && i > 0 ? made('b', '', part) : part, ' '));
  return code;
}

/** Control characters as visible ones. */
function printable(line: string): string {
  return line.replace(/[\x00-\x08\x0b-\x1f\x7f]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
