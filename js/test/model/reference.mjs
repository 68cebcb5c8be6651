// A naive cache: maps of entries. It evicts nothing by itself; the real one reports its evictions to it.

export const TICK_MS = 50;
const COUNTER_END = 2n ** 64n;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export const bytesOf = (input) => (typeof input === 'string' ? encoder.encode(input) : input);
export const textOf = (bytes) => decoder.decode(bytes);

/** A letter for each byte. */
export function nameOf(key) {
  const bytes = bytesOf(key);
  let name = '';
  for (let at = 0; at < bytes.length; at += 4096) name += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return name;
}

export const same = (one, other) => one.length === other.length && one.every((byte, i) => byte === other[i]);

/** See the first line of this file. A namespace is named by its path, that of the cache is `''`. */
export class Reference {
  #spaces = new Map();
  #origin;
  #version = 0;
  /** The values that are being loaded: each flight becomes outdated when its key changes. */
  flights = [];
  /** Values that were replaced or removed since the last operation began, as `[name, value]`. */
  replaced = [];
  /** Entries that had expired when the cache may have noticed, as `[name, value]`. */
  expired = [];

  constructor(now, ttl = 0) {
    this.now = now;
    this.ttl = ttl;
    this.begin();
  }

  /** The cache's engine has begun to count ticks. */
  begin() {
    this.#origin = this.now();
  }

  get ticks() {
    return Math.floor((this.now() - this.#origin) / TICK_MS);
  }

  expiryOf(ttl) {
    return ttl === 0 ? 0 : Math.max(1, Math.ceil((this.now() + ttl - this.#origin) / TICK_MS));
  }

  space(path) {
    if (!this.#spaces.has(path)) this.#spaces.set(path, new Map());
    return this.#spaces.get(path);
  }

  isExpired(entry) {
    return entry.expires !== 0 && entry.expires <= this.ticks;
  }

  /** The live entry of a key. */
  find(path, key) {
    const name = nameOf(key);
    const entry = this.space(path).get(name);
    if (entry === undefined || !this.isExpired(entry)) return entry;
    this.expired.push([name, entry.value]);
    this.space(path).delete(name);
    return undefined;
  }

  live(path) {
    return [...this.space(path).values()].filter((entry) => !this.isExpired(entry));
  }

  remaining(entry) {
    return entry.expires === 0 ? Infinity : Math.max(entry.expires * TICK_MS + this.#origin - this.now(), 0);
  }

  write(path, key, value, { flags, expires }) {
    const [name, old] = [nameOf(key), this.find(path, key)];
    if (old !== undefined) this.replaced.push([name, old.value]);
    this.space(path).set(name, { key: bytesOf(key), value, flags, expires, version: ++this.#version });
    this.outdate(path, key);
  }

  set(path, key, value, { ttl = this.ttl, flags = 0 } = {}) {
    this.write(path, key, value, { flags, expires: this.expiryOf(ttl) });
  }

  /** A value that is too large was refused. */
  refuse(path, key) {
    this.delete(path, key);
  }

  extend(path, key, value, isBehind) {
    const old = this.find(path, key);
    if (old === undefined) return false;
    const joined = isBehind ? [...old.value, ...value] : [...value, ...old.value];
    this.write(path, key, Uint8Array.from(joined), old);
    return true;
  }

  /** The new number; `undefined` without an entry, `null` if it is no number. */
  count(path, key, by, subtracts) {
    const old = this.find(path, key);
    if (old === undefined) return undefined;
    // A blank ends a number, and anything may follow it, as in memcached.
    const [, digits] = /^(\d+)(?: |$)/.exec(String.fromCharCode(...old.value.subarray(0, 100))) ?? [];
    if (digits === undefined || BigInt(digits) >= COUNTER_END) return null;
    const number = BigInt(digits);
    const rest = number > by ? number - by : 0n;
    const sum = subtracts ? rest : (number + by) % COUNTER_END;
    // A shorter number is written into the old place.
    this.write(path, key, bytesOf(String(sum).padEnd(old.value.length)), old);
    return sum;
  }

  delete(path, key) {
    this.outdate(path, key);
    const [name, old] = [nameOf(key), this.find(path, key)];
    if (old !== undefined) this.replaced.push([name, old.value]);
    return this.space(path).delete(name);
  }

  touch(path, key, ttl = this.ttl) {
    const entry = this.find(path, key);
    if (entry !== undefined) entry.expires = this.expiryOf(ttl);
    return entry !== undefined;
  }

  clearPrefix(path, prefix) {
    const starts = (key) => same(key.subarray(0, prefix.length), prefix);
    for (const entry of this.live(path)) if (starts(entry.key)) this.delete(path, entry.key);
    for (const flight of this.flights) if (flight.path === path && starts(bytesOf(flight.key))) flight.isCurrent = false;
  }

  /** Empties a namespace and those in it. */
  clear(path) {
    for (const [own, entries] of this.#spaces) {
      if (own !== path && !own.startsWith(`${path}/`) && path !== '') continue;
      for (const [name, { value }] of entries) this.replaced.push([name, value]);
      entries.clear();
    }
    for (const flight of this.flights) if (path === '' || flight.path === path || flight.path.startsWith(`${path}/`)) flight.isCurrent = false;
  }

  outdate(path, key) {
    for (const flight of this.flights) if (flight.path === path && nameOf(flight.key) === nameOf(key)) flight.isCurrent = false;
  }

  /** An entry has left the cache by itself. */
  depart(key, value, reason) {
    const name = nameOf(key);
    const is = ([otherName, otherValue]) => otherName === name && same(otherValue, value);
    const gone = this.expired.findIndex(is);
    if (reason === 'expire' && gone >= 0) return void this.expired.splice(gone, 1);
    const entry = this.space('').get(name);
    if (entry !== undefined && same(entry.value, value)) {
      if (reason === 'expire' && !this.isExpired(entry)) throw new Error(`${textOf(bytesOf(key))} is said to have expired, and has not`);
      this.space('').delete(name);
    } else if (!this.replaced.some(is)) {
      throw new Error(`${textOf(bytesOf(key))} is said to have left (${reason}), and was not there`);
    }
  }
}
