// Node, Deno, Bun, browsers: the engine of the protocol is text in a script, so every bundler includes it.

import { Protocol as AnyProtocol, type ProtocolOptions } from '../../protocol.js';
import { protocolEngine } from 'engine-data/protocol';
import { inlined } from '../compile.js';

const host = { module: /* @__PURE__ */ inlined(protocolEngine), maxSize: 64 * 1024 * 1024 };

/** See {@link AnyProtocol}. */
export class Protocol extends AnyProtocol {
  constructor(options: ProtocolOptions = {}) {
    super(options, host);
  }
}

export type * from '../../protocol-types.js';
