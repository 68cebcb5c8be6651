// UTF-8 by the means of this runtime, chosen at first use: jest's jsdom has no TextEncoder, but Node's Buffer.

/** Encoder and decoder of UTF-8. The decoder keeps a byte order mark. */
export interface Utf8 {
  encode(text: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, into: Uint8Array): { written: number };
  decode(bytes: Uint8Array): string;
}

interface NodeBuffer extends Uint8Array<ArrayBuffer> {
  write(text: string): number;
  toString(): string;
}

interface Runtime {
  TextEncoder?: typeof TextEncoder;
  TextDecoder?: typeof TextDecoder;
  Buffer?: {
    from(text: string): NodeBuffer;
    from(buffer: ArrayBufferLike, at: number, length: number): NodeBuffer;
  };
}

let made: Utf8 | undefined;

/** The one encoder and decoder of this runtime. */
export const utf8 = (): Utf8 => (made ??= make(globalThis as Runtime));

/** Chooses among the globals of a runtime. */
export function make({ TextEncoder, TextDecoder, Buffer }: Runtime): Utf8 {
  if (TextEncoder !== undefined && TextDecoder !== undefined) {
    const encoder = new TextEncoder();
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    return {
      encode: (text) => encoder.encode(text),
      encodeInto: (text, into) => encoder.encodeInto(text, into),
      decode: (bytes) => decoder.decode(bytes),
    };
  }
  if (Buffer !== undefined) {
    const view = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    return {
      encode: (text) => new Uint8Array(Buffer.from(text)),
      encodeInto: (text, into) => ({ written: view(into).write(text) }),
      decode: (bytes) => view(bytes).toString(),
    };
  }
  throw new Error('this runtime has neither TextEncoder and TextDecoder nor Buffer; set globalThis.TextEncoder and globalThis.TextDecoder');
}
