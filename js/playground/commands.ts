// The commands that the terminal completes and explains. The engine knows more of them than this table.

/** A command of memcached. */
export interface CommandHelp {
  readonly name: string;
  /** Its arguments, as memcached's documentation writes them. */
  readonly parameters: string;
  /** Its effect. */
  readonly summary: string;
  /** Words that may follow the name, if they are few. */
  readonly follow?: readonly string[];
  /** Position of the number of data bytes among the words, if data follows the line. */
  readonly dataAt?: number;
  /** Whether keys follow: at this position, and further ones if `isMany`. */
  readonly keyAt?: number;
  readonly isMany?: boolean;
}

const STORE = { parameters: '<key> <flags> <exptime> <bytes>', dataAt: 4, keyAt: 1 } as const;

/** Every command in the order in which completion offers them. */
export const COMMANDS: readonly CommandHelp[] = [
  { name: 'get', parameters: '<key> [<key> …]', summary: 'read values', keyAt: 1, isMany: true },
  { name: 'gets', parameters: '<key> [<key> …]', summary: 'read values with their CAS uniques', keyAt: 1, isMany: true },
  { name: 'gat', parameters: '<exptime> <key> …', summary: 'read values and give them a new expiry', keyAt: 2, isMany: true },
  { name: 'gats', parameters: '<exptime> <key> …', summary: 'the same with CAS uniques', keyAt: 2, isMany: true },
  { name: 'set', ...STORE, summary: 'store a value; the data follows on the next line' },
  { name: 'add', ...STORE, summary: 'store only if the key has no value' },
  { name: 'replace', ...STORE, summary: 'store only if the key has a value' },
  { name: 'append', ...STORE, summary: 'add data behind the value' },
  { name: 'prepend', ...STORE, summary: 'add data before the value' },
  {
    name: 'cas',
    parameters: '<key> <flags> <exptime> <bytes> <unique>',
    summary: 'store only if the value is still the one that gets returned',
    dataAt: 4,
    keyAt: 1,
  },
  { name: 'delete', parameters: '<key>', summary: 'remove a value', keyAt: 1 },
  { name: 'incr', parameters: '<key> <number>', summary: 'add to a number', keyAt: 1 },
  { name: 'decr', parameters: '<key> <number>', summary: 'subtract from a number, not below 0', keyAt: 1 },
  { name: 'touch', parameters: '<key> <exptime>', summary: 'give a value a new expiry', keyAt: 1 },
  { name: 'mg', parameters: '<key> [flags]', summary: 'meta get; v: value, t: seconds to live, h: was it read, s: size', keyAt: 1 },
  { name: 'ms', parameters: '<key> <bytes> [flags]', summary: 'meta set; T60: expires in 60 s, ME: add, MA: append', dataAt: 2, keyAt: 1 },
  { name: 'md', parameters: '<key> [flags]', summary: 'meta delete; I: only mark it as stale', keyAt: 1 },
  { name: 'ma', parameters: '<key> [flags]', summary: 'meta arithmetic; N0 J1: begin with 1, D5: by 5, v: show it', keyAt: 1 },
  { name: 'me', parameters: '<key>', summary: 'meta debug: everything about an item', keyAt: 1 },
  { name: 'mn', parameters: '', summary: 'meta no-op: ends a batch of quiet commands' },
  { name: 'stats', parameters: '[group]', summary: 'statistics', follow: ['items', 'slabs', 'settings', 'sizes', 'reset'] },
  { name: 'lru', parameters: 'mode <flat | segmented>', summary: 'policy: exact LRU, or S3-FIFO', follow: ['mode flat', 'mode segmented'] },
  { name: 'lru_crawler', parameters: 'metadump all', summary: 'list every item', follow: ['metadump all'] },
  { name: 'flush_all', parameters: '[delay]', summary: 'remove everything' },
  { name: 'version', parameters: '', summary: 'the version' },
  { name: 'verbosity', parameters: '<level>', summary: 'accepted, without effect' },
  { name: 'quit', parameters: '', summary: 'close the connection' },
];

/** An example for the list beside the terminal. */
export interface Example {
  readonly title: string;
  /** The text to type; `\r\n` ends a line within it. */
  readonly text: string;
}

/** Examples that can be run in this order. */
export const EXAMPLES: readonly Example[] = [
  { title: 'Store for a minute', text: 'set greeting 0 60 5\\r\\nhello' },
  { title: 'Read', text: 'get greeting' },
  { title: 'Seconds left, size', text: 'mg greeting t s v' },
  { title: 'Count', text: 'ma visits N0 J1 v' },
  { title: 'Only if unchanged', text: 'gets greeting' },
  { title: 'Statistics', text: 'stats' },
  { title: 'Become an LRU', text: 'lru mode flat' },
];

const BY_NAME = new Map(COMMANDS.map((command) => [command.name, command]));

/** The command of that name. */
export function helpOf(name: string): CommandHelp | undefined {
  return BY_NAME.get(name);
}

/** Whole inputs that begin with `input`: commands, their words, and keys that were used before. */
export function completions(input: string, keys: Iterable<string>): string[] {
  const words = input.split(' ');
  if (words.length === 1) return COMMANDS.map((command) => command.name).filter((name) => isBeginning(input, name));
  const command = helpOf(words[0]);
  if (command === undefined) return [];
  const follow = (command.follow ?? []).map((rest) => `${command.name} ${rest}`).filter((text) => isBeginning(input, text));
  const position = words.length - 1;
  const keyAt = command.keyAt ?? Infinity;
  if (position !== keyAt && !(command.isMany === true && position > keyAt)) return follow;
  const before = words.slice(0, -1).join(' ');
  return [...follow, ...[...keys].map((key) => `${before} ${key}`).filter((text) => isBeginning(input, text))];
}

function isBeginning(input: string, text: string): boolean {
  return text !== input && text.startsWith(input) && input !== '';
}

/** The known command that is most like `name`, if it is a likely slip. */
export function similar(name: string): string | undefined {
  const lower = name.toLowerCase();
  const distances = COMMANDS.map((command) => ({ name: command.name, distance: distance(lower, command.name) }));
  const [nearest] = distances.sort((one, other) => one.distance - other.distance);
  return nearest.distance <= Math.max(1, Math.floor(lower.length / 3)) ? nearest.name : undefined;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one text into the other. */
function distance(one: string, other: string): number {
  const rows = Array.from({ length: one.length + 1 }, (_, i) => [i, ...Array<number>(other.length).fill(0)]);
  rows[0] = Array.from({ length: other.length + 1 }, (_, j) => j);
  for (let i = 1; i <= one.length; i++) {
    for (let j = 1; j <= other.length; j++) {
      const replaced = rows[i - 1][j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1);
      rows[i][j] = Math.min(replaced, rows[i - 1][j] + 1, rows[i][j - 1] + 1);
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]) {
        rows[i][j] = Math.min(rows[i][j], rows[i - 2][j - 2] + 1);
      }
    }
  }
  return rows[one.length][other.length];
}
