// Any other runtime: the package brings no engine, so the program provides one before the first use.

import { Protocol as AnyProtocol, type ProtocolOptions } from '../../protocol.js';
import { Slot } from '../compile.js';
import type { EngineBytes, EngineModule, EngineResponse } from '../modules.js';

export type { EngineBytes, EngineModule, EngineResponse };

const slot = /* @__PURE__ */ new Slot('protocol.wasm');
const host = { module: slot.module, maxSize: 64 * 1024 * 1024 };

/** Provides the engine (`wasmcached/protocol.wasm`): a compiled module, bytes, or a response of `fetch`. */
export const init = (
  source: EngineModule | EngineBytes | EngineResponse | Promise<EngineModule | EngineBytes | EngineResponse>,
): Promise<void> => slot.init(source);

/** Provides the engine synchronously: a compiled module, or bytes. */
export const initSync = (source: EngineModule | EngineBytes): void => slot.initSync(source);

/** See {@link AnyProtocol}. Needs {@link init} or {@link initSync} first, or the option `module`. */
export class Protocol extends AnyProtocol {
  constructor(options: ProtocolOptions = {}) {
    super(options, host);
  }
}

export type * from '../../protocol-types.js';
