// Vercel Edge and Next.js: their bundler turns `?module` into a compiled module.

import { Protocol as AnyProtocol, type ProtocolOptions } from '../../protocol.js';
import protocol from '../../protocol.wasm?module';
import { imported } from '../modules.js';

const host = { module: /* @__PURE__ */ imported(protocol, 'protocol/edge-light'), maxSize: 32 * 1024 * 1024 };

/** See {@link AnyProtocol}. */
export class Protocol extends AnyProtocol {
  constructor(options: ProtocolOptions = {}) {
    super(options, host);
  }
}

export type * from '../../protocol-types.js';
