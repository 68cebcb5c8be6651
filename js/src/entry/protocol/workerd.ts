// Cloudflare Workers: the bundler provides a compiled module, because workers must not compile at run time.

import { Protocol as AnyProtocol, type ProtocolOptions } from '../../protocol.js';
import protocol from '../../protocol.wasm';
import { imported } from '../modules.js';

const host = { module: /* @__PURE__ */ imported(protocol, 'protocol/workerd'), maxSize: 32 * 1024 * 1024 };

/** See {@link AnyProtocol}. */
export class Protocol extends AnyProtocol {
  constructor(options: ProtocolOptions = {}) {
    super(options, host);
  }
}

export type * from '../../protocol-types.js';
