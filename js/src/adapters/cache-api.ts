// The Cache API of browsers and Workers (`caches`) on a cache with a budget. Like the caches of Workers it honours what a
// response says about its lifetime; like the standard it keeps responses that say nothing, by method, URL and Vary.

import { backing, textKeys, type Backing, type Divisible, type Global } from './backing.js';
import { lifetime, packResponse, unpackRequest, unpackResponse, varyNames } from './cache-api-record.js';

/** A request, or its URL. */
export type Asked = Global<'Request'> | Global<'URL'> | string;

/** Options of {@link ResponseCache.match} and its kin. */
export interface ResponseQuery {
  ignoreSearch?: boolean;
  ignoreMethod?: boolean;
  ignoreVary?: boolean;
}

/** A variant of a response: the request headers that its `Vary` names, with their values. */
type Variant = [header: string, value: string | null][];

/** More variants of one URL remove the oldest: `Vary: user-agent` would otherwise fill the cache with one page. */
const VARIANTS_MAX = 64;
/** Longer URLs are not kept. */
const URL_LENGTH_MAX = 32 * 1024;
/** No URL contains this character. It stands before the variant in a key. */
const SEPARATOR = '\n';

/** One cache of responses. */
export class ResponseCache {
  readonly #cache: Backing;

  constructor(cache: Backing) {
    this.#cache = backing(cache);
  }

  /** The first response that was stored for such a request, or `undefined`. */
  async match(request: Asked, query: ResponseQuery = {}): Promise<Global<'Response'> | undefined> {
    for (const [, stored] of this.#find(toRequest(request), query)) return unpackResponse(stored);
    return undefined;
  }

  /** All responses for such a request, or all of the cache. */
  async matchAll(request?: Asked, query: ResponseQuery = {}): Promise<readonly Global<'Response'>[]> {
    const found = request === undefined ? this.#all() : this.#find(toRequest(request), query);
    return Object.freeze(Array.from(found, ([, stored]) => unpackResponse(stored)));
  }

  /**
   * Stores a response. One that forbids storage (`no-store`, `private`, `Set-Cookie`) or has ended is not kept, and what
   * it would replace is removed.
   */
  async put(request: Asked, response: Global<'Response'>): Promise<void> {
    const asked = toRequest(request);
    if (!/^https?:/.test(asked.url))
      throw new TypeError(`a cache keeps responses for http and https, not for ${asked.url}`);
    if (asked.method !== 'GET') throw new TypeError(`a cache keeps responses to GET, not to ${asked.method}`);
    if (response.status < 200) throw new TypeError('an error response cannot be kept');
    if (response.status === 206) throw new TypeError('a cache keeps whole responses, not one with status 206');
    const names = varyNames(response.headers);
    if (names.includes('*')) throw new TypeError('a response with Vary: * matches no request, so a cache refuses it');
    if (response.bodyUsed || response.body?.locked)
      throw new TypeError('the body of the response is used or locked; put a clone');
    const ttl = lifetime(response);
    const body = response.body === null ? null : new Uint8Array(await response.arrayBuffer());
    for (const [key] of [...this.#find(asked, {})]) this.#remove(key);
    if (ttl === undefined || asked.url.length > URL_LENGTH_MAX) return;
    const variant: Variant = names.map((name) => [name, asked.headers.get(name)]);
    const key = variantKey(withoutHash(asked.url), variant);
    this.#cache.set(key, packResponse(asked, response, body), { ttl });
    this.#addVariant(withoutHash(asked.url), variant);
  }

  /** Removes responses for such a request; returns whether there were any. */
  async delete(request: Asked, query: ResponseQuery = {}): Promise<boolean> {
    const keys = Array.from(this.#find(toRequest(request), query), ([key]) => key);
    for (const key of keys) this.#remove(key);
    return keys.length > 0;
  }

  /** The requests that have a response. */
  async keys(request?: Asked, query: ResponseQuery = {}): Promise<readonly Global<'Request'>[]> {
    const found = request === undefined ? this.#all() : this.#find(toRequest(request), query);
    return Object.freeze(
      Array.from(found, ([key, stored]) => new Request(urlOf(key), { headers: unpackRequest(stored) })),
    );
  }

  /** Fetches a URL and stores the response. */
  async add(request: Asked): Promise<void> {
    await this.addAll([request]);
  }

  /** Fetches URLs and stores the responses; stores none if one fails. */
  async addAll(requests: Iterable<Asked>): Promise<void> {
    const asked = Array.from(requests, toRequest);
    const responses = await Promise.all(asked.map((request) => fetch(request)));
    const bad = responses.findIndex(({ ok, status }) => !ok || status === 206);
    if (bad >= 0) throw new TypeError(`${asked[bad]!.url} answered ${responses[bad]!.status}`);
    const starred = responses.findIndex(({ headers }) => varyNames(headers).includes('*'));
    if (starred >= 0) throw new TypeError(`${asked[starred]!.url} answered with Vary: *, which a cache refuses`);
    for (const [index, response] of responses.entries()) await this.put(asked[index]!, response);
  }

  *#all(): Generator<[string, Uint8Array]> {
    for (const key of textKeys(this.#cache)) {
      const stored = key.includes(SEPARATOR) ? this.#cache.get(key) : undefined;
      if (stored !== undefined) yield [key, stored];
    }
  }

  *#find(request: Request, query: ResponseQuery): Generator<[string, Uint8Array]> {
    if ((request.method !== 'GET' && !query.ignoreMethod) || request.url.length > URL_LENGTH_MAX) return;
    const url = withoutHash(request.url);
    for (const candidate of query.ignoreSearch ? this.#urlsLike(url) : [url]) {
      for (const variant of this.#variants(candidate)) {
        if (!query.ignoreVary && !variant.every(([name, value]) => request.headers.get(name) === value)) continue;
        const key = variantKey(candidate, variant);
        const stored = this.#cache.get(key);
        if (stored !== undefined) yield [key, stored];
      }
    }
  }

  #urlsLike(url: string): string[] {
    const path = withoutSearch(url);
    return textKeys(this.#cache, path).filter((key) => !key.includes(SEPARATOR) && withoutSearch(key) === path);
  }

  #variants(url: string): Variant[] {
    const text = this.#cache.getText(url);
    return text === undefined ? [] : JSON.parse(text);
  }

  /** The list of variants has no end of its own: it lives until it is evicted or its last variant is removed. */
  #addVariant(url: string, variant: Variant): void {
    const key = variantKey(url, variant);
    const others = this.#variants(url).filter((other) => {
      const name = variantKey(url, other);
      return name !== key && this.#cache.has(name);
    });
    const variants = [...others, variant];
    for (const old of variants.splice(0, variants.length - VARIANTS_MAX)) this.#cache.delete(variantKey(url, old));
    this.#cache.set(url, JSON.stringify(variants), { ttl: 0 });
  }

  #remove(key: string): void {
    const url = urlOf(key);
    this.#cache.delete(key);
    const rest = this.#variants(url).filter((variant) => variantKey(url, variant) !== key);
    if (rest.length === 0) this.#cache.delete(url);
    else this.#cache.set(url, JSON.stringify(rest), { ttl: 0 });
  }
}

/** The caches of a program by name, as the global `caches` has them. */
export class ResponseCaches {
  readonly #cache: Divisible;
  readonly #opened = new Map<string, ResponseCache>();

  constructor(cache: Divisible) {
    this.#cache = backing(cache);
  }

  /** The cache that Workers call `caches.default`. */
  get default(): ResponseCache {
    return new ResponseCache(this.#cache.namespace('default'));
  }

  async open(name: string): Promise<ResponseCache> {
    const opened = this.#opened.get(name) ?? new ResponseCache(this.#cache.namespace(`named:${name}`));
    this.#opened.set(name, opened);
    return opened;
  }

  async has(name: string): Promise<boolean> {
    return this.#opened.has(name);
  }

  async keys(): Promise<string[]> {
    return [...this.#opened.keys()];
  }

  /** Removes a cache with all its responses. */
  async delete(name: string): Promise<boolean> {
    if (!this.#opened.delete(name)) return false;
    this.#cache.namespace(`named:${name}`).clear();
    return true;
  }

  /** Looks in one cache, or in all in the order in which they were opened. */
  async match(
    request: Asked,
    query: ResponseQuery & { cacheName?: string } = {},
  ): Promise<Global<'Response'> | undefined> {
    const { cacheName } = query;
    const caches = cacheName === undefined ? [...this.#opened.values()] : [this.#opened.get(cacheName)];
    for (const cache of caches) {
      const response = await cache?.match(request, query);
      if (response !== undefined) return response;
    }
    return undefined;
  }
}

function toRequest(request: Asked): Request {
  return typeof request === 'object' && 'headers' in request ? request : new Request(request);
}

function variantKey(url: string, variant: Variant): string {
  return `${url}${SEPARATOR}${JSON.stringify(variant)}`;
}

function urlOf(key: string): string {
  return key.slice(0, key.indexOf(SEPARATOR));
}

function withoutHash(url: string): string {
  const at = url.indexOf('#');
  return at < 0 ? url : url.slice(0, at);
}

function withoutSearch(url: string): string {
  const at = url.indexOf('?');
  return at < 0 ? url : url.slice(0, at);
}
