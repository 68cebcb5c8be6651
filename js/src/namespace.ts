// Namespaces: parts of a cache with keys of their own.

import { describe } from './bytes.js';
import { Collection } from './collection.js';
import type { Core } from './core.js';
import { optionsOf } from './options.js';
import type { Spaces } from './spaces.js';

/** Options of `namespace`. */
export interface NamespaceOptions {
  /** Default time to live in milliseconds, for entries that are stored through this object. Default: that of what it is in. */
  ttl?: number | undefined;
}

/** The default time to live of these options. */
export const ttlOf = (options: NamespaceOptions): number | undefined => optionsOf(options, ['ttl'])?.ttl;

/** A part of a cache. It is cleared at once, however many entries it has; later calls reclaim their memory. */
export class Namespace extends Collection {
  /** The name that it was made with. */
  readonly name: string;

  /** @internal */
  constructor(core: Core, spaces: Spaces, parent: string, name: string, ttl: number | undefined) {
    if (typeof name !== 'string') throw new TypeError(`the name of a namespace is text, not ${describe(name)}`);
    // The length in front keeps `a` in `b` apart from `ab`.
    super(core, spaces, `${parent}${name.length}:${name}`, ttl);
    this.name = name;
  }

  /** A namespace in this namespace. */
  namespace(name: string, options: NamespaceOptions = {}): Namespace {
    const ttl = ttlOf(options);
    return new Namespace(this.core, this.spaces, this.spaceName, name, ttl === undefined ? this.defaultTtl : ttl);
  }

  get [Symbol.toStringTag](): string {
    return 'Namespace';
  }

  protected override clearAll(): void {
    this.core.check();
    this.spaces.clear(this.spaceName);
  }
}
