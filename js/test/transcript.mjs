// The shared transcripts (tests/transcripts/README.md has the format) against the package's protocol. Imports nothing of a
// runtime, so it runs in any. Bytes are strings of characters 0 to 255, to which patterns apply directly.

import * as packets from './packets.mjs';

/** The moment at which every replay begins, in milliseconds. */
const START_MS = 1_800_000_000_000;
/** Longer inputs are sent byte by byte only in part. */
const BYTEWISE_MAX = 4096;

/** Parses a file into { flags, serverOnly, cases }. An unknown directive is an error that names the line. */
export function parse(name, text) {
  const parser = new Parser(name);
  text.split('\n').forEach((line, index) => parser.line(line, index + 1));
  return parser.file;
}

/** Directives that are a step, with the function that reads the rest of the line. */
const STEPS = {
  '>': ['send', (rest) => rest],
  '<': ['expect', (rest) => rest],
  '>b': ['sendPacket', packets.request],
  '<b': ['packet', packets.answer],
  '<~': ['line', pattern],
  '<n': ['bare', pattern],
  '<+': ['lines', pattern],
  '@closed': ['closed', () => undefined],
  '@silent': ['silent', () => undefined],
  '@close': ['close', () => undefined],
  '@abandon': ['abandon', () => undefined],
  '@open': ['open', (rest) => rest],
  '@on': ['on', (rest) => rest],
  '@time': ['time', (rest) => Number(/^\+(\d+)$/.exec(rest)[1]) * 1000],
  '@sleep': ['time', (rest) => Number(/^(\d+)ms$/.exec(rest)[1])],
  '@stats': ['stats', (rest) => ({ of: rest, isBinary: false, expected: [] })],
  '@bstats': ['stats', (rest) => ({ of: rest, isBinary: true, expected: [] })],
  '@counts': ['stats', () => ({ of: '', isBinary: false, isComplete: true, expected: [] })],
  '@bcounts': ['stats', () => ({ of: '', isBinary: true, isComplete: true, expected: [] })],
};

/** Statistics that count requests, answers, refusals and items; the runner in Rust has the same pattern. */
const COUNTS =
  /^((cmd|get|delete|incr|decr|cas|touch|store|auth|requests?|replies|datagrams)_\w+|(curr|total)_items|evictions|\w+_oom|non_numeric|other_badval|(rejected|idle)_\w+|connection_errors|listen_disabled_num)$/;

class Parser {
  #blocks = [];
  #steps;
  #isOracle = false;
  #last;

  constructor(name) {
    this.file = { name, flags: [], serverOnly: undefined, cases: [] };
  }

  line(line, at) {
    if (line === '' || line.startsWith('#')) return;
    const [word, rest] = cut(line, ' ');
    if (word === '@case') this.#case(rest, at);
    else if (this.file.cases.length === 0) this.#head(word, rest, line, at);
    else if (Object.hasOwn(STEPS, word)) this.#step(word, rest, at);
    else this.#directive(word, rest, line, at);
  }

  #error(at, message) {
    return new Error(`${this.file.name}.txt:${at}: ${message}`);
  }

  #case(name, at) {
    if (this.#blocks.length > 0) throw this.#error(at, 'an unfinished block');
    this.#steps = [];
    this.file.cases.push({ name, at, isFresh: false, steps: this.#steps });
  }

  /** A directive before the first case. */
  #head(word, rest, line, at) {
    if (word === '@flags') this.file.flags = rest.trim().split(/\s+/);
    else if (word === '@server-only') this.file.serverOnly = rest;
    else if (word !== '@oracle-flags') throw this.#error(at, `\`${line}\` before the first case`);
  }

  #step(word, rest, at) {
    const [action, read] = STEPS[word];
    this.#last = { at, action, value: read(rest) };
    this.#steps.push(this.#last);
  }

  #directive(word, rest, line, at) {
    const scope = this.file.cases.at(-1);
    switch (word) {
      case '@fresh':
        scope.isFresh = true;
        return;
      case '@whole':
        scope.whole = rest;
        return;
      case '@server-only':
        scope.serverOnly = rest;
        return;
      case '@oracle-skip':
        return;
      case '=': {
        if (this.#last?.action !== 'stats') throw this.#error(at, '`=` without `@stats`');
        const [statistic, value] = cut(rest, ' ');
        this.#last.value.expected.push({ at, statistic, value });
        return;
      }
      case '@oracle-differs':
        this.#blocks.push(this.#steps);
        return;
      case '@oracle':
        // The steps up to `@end` expect the behaviour of real memcached, which this runner skips.
        if (this.#blocks.length === 0 || this.#isOracle) throw this.#error(at, '`@oracle` outside of a block');
        this.#isOracle = true;
        this.#steps = [];
        return;
      case '@end':
        if (!this.#isOracle) throw this.#error(at, '`@end` outside of a block');
        this.#isOracle = false;
        this.#steps = this.#blocks.pop();
        return;
      default:
        throw this.#error(at, `what is \`${line}\`?`);
    }
  }
}

/** Names of `-o` that change what a client sees; the others are for real memcached. */
const SERVER_NAMES = new Set(['track_sizes', 'no_slab_reassign']);

/** The options of a `Protocol` for memcached's flags. Throws at the first flag without an option. */
export function options(flags) {
  const made = { maxSize: 64 * 1024 * 1024 };
  for (let i = 0; i < flags.length; i++) {
    const flag = flags[i];
    if (flag === '-M') made.evictions = false;
    else if (flag === '-C') made.cas = false;
    else if (flag === '-F') made.flush = false;
    else if (flag === '-A') made.shutdown = true;
    else if (flag === '-D') made.prefixDelimiter = flags[++i];
    else if (flag === '-m') made.maxSize = Number(flags[++i]) * 1024 * 1024;
    else if (flag === '-I') made.maxEntrySize = bytes(flags[++i]);
    else if (flag === '-o' && SERVER_NAMES.has(flags[++i])) throw new Error(`-o ${flags[i]} needs a server`);
    else if (flag === '-o') continue;
    else throw new Error(`the flag ${flag} needs a server`);
  }
  return made;
}

/** Expectations in which the package differs from a server, by file name. */
const OTHERWISE = { memory_limit: 'an engine never takes more than its maxSize, so cache_memlimit cannot raise it' };

/** The reason to skip the file, if there is one. */
export function refusal(file) {
  if (file.name in OTHERWISE) return OTHERWISE[file.name];
  if (file.serverOnly !== undefined) return file.serverOnly;
  if (file.cases.every((one) => one.serverOnly !== undefined)) return file.cases[0].serverOnly;
  try {
    options(file.flags);
  } catch (error) {
    return error.message;
  }
}

/** Replays the file; `split`: 'whole', 'bytes', or a number, the seed of random pieces. Returns the number of cases. */
export function replay(file, Protocol, split) {
  let target;
  let count = 0;
  for (const one of file.cases) {
    if (one.serverOnly !== undefined || (split !== 'whole' && one.whole !== undefined)) continue;
    if (target === undefined || one.isFresh) {
      target?.protocol.dispose();
      const made = { now: START_MS };
      made.protocol = new Protocol({ ...options(file.flags), clock: () => made.now });
      target = made;
    }
    new Run(file.name, one, target, split).play();
    count++;
  }
  target?.protocol.dispose();
  return count;
}

class Run {
  constructor(file, one, target, split) {
    Object.assign(this, { file, one, target, split, outgoing: '', connections: new Map(), variables: {} });
    this.fill = (text) => template(`${text}\\`, this.variables);
    this.random = typeof split === 'number' ? BigInt.asUintN(64, BigInt(split) * 0x9e3779b97f4a7c15n) | 1n : 1n;
  }

  play() {
    this.open('first');
    let at = this.one.at;
    try {
      for (const step of this.one.steps) {
        at = step.at;
        this.step(step);
      }
      this.flush();
      this.checkConnections();
    } catch (error) {
      throw new Error(`${this.file}.txt:${at} (case "${this.one.name}", ${this.split}): ${error.message}`, {
        cause: error,
      });
    }
    for (const { connection } of this.connections.values()) connection.close();
  }

  step({ action, value }) {
    if (action === 'send') {
      this.outgoing += template(value, this.variables);
      return;
    }
    if (action === 'sendPacket') {
      this.outgoing += packets.build(value, this.fill);
      return;
    }
    this.flush();
    const current = this.connections.get(this.current);
    switch (action) {
      case 'expect': {
        const expected = template(value, this.variables);
        if (!current.inbox.startsWith(expected)) throw new Error(`expected ${show(expected)}, got ${show(current.inbox)}`);
        current.inbox = current.inbox.slice(expected.length);
        return;
      }
      case 'packet':
        return void Object.assign(this.variables, packets.compare(value, this.takePacket(), this.fill));
      case 'line':
        return this.expectLine(value);
      case 'bare':
        return this.expectLine(value, '\n');
      case 'lines':
        this.expectLine(value);
        while (value.test(cut(current.inbox, '\r\n')[0]) && current.inbox.includes('\r\n')) this.expectLine(value);
        return;
      case 'silent':
        if (current.inbox !== '') throw new Error(`expected silence, got ${show(current.inbox)}`);
        if (current.connection.isClosed) throw new Error('expected silence, got the end of the connection');
        return;
      case 'closed':
        if (current.inbox !== '') throw new Error(`expected the end, got ${show(current.inbox)}`);
        if (!current.connection.isClosed) throw new Error('the connection is still open');
        return void this.connections.delete(this.current);
      case 'close':
      case 'abandon':
        current.connection.close();
        return void this.connections.delete(this.current);
      case 'open':
        return this.open(value);
      case 'on':
        if (!this.connections.has(value)) throw new Error(`no connection \`${value}\``);
        this.current = value;
        return;
      case 'time':
        this.target.now += value;
        return;
      case 'stats':
        return this.compareStatistics(value);
      default:
        throw new Error(`no step ${action}`);
    }
  }

  open(name) {
    this.connections.set(name, { connection: this.target.protocol.connect(), inbox: '' });
    this.current = name;
  }

  flush() {
    const all = this.outgoing;
    this.outgoing = '';
    const current = this.connections.get(this.current);
    if (current === undefined && all !== '') throw new Error(`connection \`${this.current}\` is closed`);
    if (all !== '') current.firstByte ??= all.charCodeAt(0);
    for (let sent = 0; sent < all.length; ) {
      const length = Math.min(all.length - sent, Math.max(1, this.pieceLength(sent, all.length - sent)));
      if (!current.connection.isClosed) {
        const piece = new Uint8Array(length);
        for (let i = 0; i < length; i++) piece[i] = all.charCodeAt(sent + i);
        current.inbox += latin1(current.connection.execute(piece));
      }
      sent += length;
    }
  }

  pieceLength(sent, left) {
    if (this.split === 'whole') return left;
    if (this.split === 'bytes') return sent < BYTEWISE_MAX || left <= 16 ? 1 : Math.min(left - 16, 7919);
    for (const shift of [13n, -7n, 17n]) {
      this.random ^= shift > 0n ? BigInt.asUintN(64, this.random << shift) : this.random >> -shift;
    }
    return 1 + Number(this.random % (left > 65536 ? 32768n : 40n));
  }

  takeLine(ending = '\r\n') {
    const current = this.connections.get(this.current);
    const at = current.inbox.indexOf('\n');
    const line = current.inbox.slice(0, at + 1);
    if (at < 0 || !line.endsWith(ending)) throw new Error(`expected a line, got ${show(current.inbox)}`);
    current.inbox = current.inbox.slice(at + 1);
    return line.slice(0, -ending.length);
  }

  takePacket() {
    const current = this.connections.get(this.current);
    const packet = packets.take(current.inbox);
    if (packet === undefined) throw new Error(`expected a packet, got ${show(current.inbox)}`);
    current.inbox = packet.rest;
    return packet;
  }

  expectLine(expected, ending) {
    const line = this.takeLine(ending);
    const found = expected.exec(line);
    if (found === null) throw new Error(`${show(line)} does not match ${expected}`);
    Object.assign(this.variables, found.groups);
  }

  lineStatistics(of) {
    this.outgoing = of === '' ? 'stats\r\n' : `stats ${of}\r\n`;
    this.flush();
    const found = new Map();
    for (let line = this.takeLine(); line !== 'END'; line = this.takeLine()) {
      if (!line.startsWith('STAT ')) throw new Error(`\`${line}\` among statistics`);
      found.set(...cut(line.slice(5), ' '));
    }
    return found;
  }

  packetStatistics(of) {
    this.outgoing = packets.build(packets.request(of === '' ? 'stat' : `stat key=${of}`), this.fill);
    this.flush();
    const found = new Map();
    for (let packet = this.takePacket(); packet.key !== ''; packet = this.takePacket()) {
      if (packet.status !== 0) throw new Error(`status ${packet.status} among statistics`);
      found.set(packet.key, packet.value);
    }
    return found;
  }

  compareStatistics({ of, isBinary, isComplete, expected }) {
    const found = isBinary ? this.packetStatistics(of) : this.lineStatistics(of);
    const isRight = ({ statistic, value }) => {
      const actual = found.get(statistic);
      if (value === '(absent)') return actual === undefined;
      if (actual === undefined) return false;
      return value.startsWith('~') ? pattern(value.slice(1).trimStart()).test(actual) : actual === value;
    };
    const wrong = expected.filter((one) => !isRight(one));
    for (const [statistic, value] of isComplete ? found : []) {
      const isExpected = value === '0' || expected.some((one) => one.statistic === statistic);
      if (COUNTS.test(statistic) && !isExpected) throw new Error(`${statistic} is ${value}, expected 0`);
    }
    if (wrong.length === 0) return;
    const lines = wrong.map(({ at, statistic, value }) => {
      return `line ${at}: ${statistic} is ${found.get(statistic)}, expected ${value}`;
    });
    throw new Error(lines.join('; '));
  }

  /** Checks at the end of a case that every connection works and has no unread output. */
  checkConnections() {
    for (const name of this.connections.keys()) {
      this.current = name;
      if (this.connections.get(name).firstByte === 0x80) {
        this.outgoing = packets.build(packets.request('version opaque=0xfeedbeef'), this.fill);
        this.flush();
        const { opcode, status, opaque, rest } = this.takePacket();
        const isVersion = opcode === 0x0b && status === 0 && opaque === 0xfeedbeef && rest === '';
        if (!isVersion) throw new Error(`after the case, on \`${name}\`: no version, or more`);
        continue;
      }
      this.outgoing = 'version\r\n';
      this.flush();
      const { inbox } = this.connections.get(name);
      if (!/^VERSION \S+\r\n$/.test(inbox)) throw new Error(`after the case, on \`${name}\`: ${show(inbox)}`);
    }
  }
}

/** Decodes the text after `> ` or `< ` into bytes. */
function template(text, variables) {
  let made = '';
  let rest = text;
  let ending = '\r\n';
  while (rest !== '') {
    const first = String.fromCodePoint(rest.codePointAt(0));
    rest = rest.slice(first.length);
    if (first === '\\' && rest === '') {
      ending = '';
    } else if (first === '\\') {
      const [byte, length] = escape(rest);
      made += byte;
      rest = rest.slice(length);
    } else if (first === '$' && rest.startsWith('{')) {
      const [name, after] = cut(rest.slice(1), '}');
      if (variables[name] === undefined) throw new Error(`no variable \`${name}\``);
      made += variables[name];
      rest = after;
    } else if (first === '{') {
      const [inner, after] = cut(rest, '}');
      const at = inner.lastIndexOf('*');
      if (at < 0) throw new Error('a repetition is `{text*count}`');
      made += plain(inner.slice(0, at)).repeat(Number(inner.slice(at + 1)));
      rest = after;
    } else {
      made += latin1(new TextEncoder().encode(first));
    }
  }
  return made + ending;
}

/** Decodes a text that contains only escapes. */
function plain(text) {
  let made = '';
  for (let rest = text; rest !== ''; ) {
    if (rest[0] === '\\') {
      const [byte, length] = escape(rest.slice(1));
      made += byte;
      rest = rest.slice(1 + length);
    } else {
      const first = String.fromCodePoint(rest.codePointAt(0));
      made += latin1(new TextEncoder().encode(first));
      rest = rest.slice(first.length);
    }
  }
  return made;
}

function escape(rest) {
  if (rest[0] === 'x') return [String.fromCharCode(Number.parseInt(rest.slice(1, 3), 16)), 3];
  const bytes = { r: '\r', n: '\n', t: '\t', s: ' ', 0: '\0', '\\': '\\', '{': '{', $: '$' };
  if (bytes[rest[0]] === undefined) throw new Error(`unknown escape \\${rest[0]}`);
  return [bytes[rest[0]], 1];
}

function pattern(text) {
  return new RegExp(`^(?:${text})$`, 's');
}

function bytes(text) {
  const [, number, unit] = /^(\d+)([km]?)$/i.exec(text);
  return Number(number) * { '': 1, k: 1024, m: 1024 * 1024 }[unit.toLowerCase()];
}

function cut(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}

function latin1(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

function show(text) {
  if (text === '') return 'nothing';
  const shown = JSON.stringify(text);
  return shown.length > 600 ? `${shown.slice(0, 300)} … ${shown.slice(-200)} (${text.length} bytes)` : shown;
}
