// The bytes of an entry of Next.js's incremental cache. Buffers, long texts and maps of buffers stand behind a header in
// JSON, so that they are neither escaped nor turned into base64.

/** An entry as the cache handler receives and returns it. */
export interface NextRecord {
  lastModified: number;
  cacheControl?: unknown;
  /** A page, a route, a response of `fetch`, an image or a redirect; `null` for a page that was not found. */
  value: { [field: string]: unknown } | null;
}

/** A field that stands behind the header: its name, its kind, its length, and its key in a map of buffers. */
type Part = [field: string, kind: 'bytes' | 'text' | 'map', length: number, key?: string];

/** Shorter texts stay in the header. */
const TEXT_LENGTH_MIN = 256;
const HEAD_BYTES = 4;

export function packRecord(record: NextRecord): Uint8Array {
  const fields: { [field: string]: unknown } = {};
  const parts: Part[] = [];
  const blocks: Uint8Array[] = [];
  const add = (field: string, kind: Part[1], block: Uint8Array, key?: string) => {
    parts.push(key === undefined ? [field, kind, block.length] : [field, kind, block.length, key]);
    blocks.push(block);
  };
  const encoder = new TextEncoder();
  for (const [field, value] of Object.entries(record.value ?? {})) {
    if (ArrayBuffer.isView(value))
      add(field, 'bytes', new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    else if (typeof value === 'string' && value.length >= TEXT_LENGTH_MIN) add(field, 'text', encoder.encode(value));
    else if (isMap(value)) {
      fields[field] = null;
      for (const [key, block] of value) add(field, 'map', block, key);
    } else if (value !== undefined) fields[field] = value;
  }
  const { lastModified, cacheControl } = record;
  const maps = Object.entries(record.value ?? {})
    .filter(([, value]) => isMap(value))
    .map(([field]) => field);
  const header = { lastModified, cacheControl, fields: record.value === null ? null : fields, maps, parts };
  const text = encoder.encode(JSON.stringify(header));
  const packed = new Uint8Array(blocks.reduce((sum, block) => sum + block.length, HEAD_BYTES + text.length));
  new DataView(packed.buffer).setUint32(0, text.length);
  packed.set(text, HEAD_BYTES);
  let at = HEAD_BYTES + text.length;
  for (const block of blocks) {
    packed.set(block, at);
    at += block.length;
  }
  return packed;
}

export function unpackRecord(packed: Uint8Array): NextRecord {
  const length = new DataView(packed.buffer, packed.byteOffset).getUint32(0);
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let at = HEAD_BYTES + length;
  const header = JSON.parse(decoder.decode(packed.subarray(HEAD_BYTES, at)));
  const { lastModified, cacheControl, fields, maps, parts } = header;
  for (const field of maps) fields[field] = new Map();
  for (const [field, kind, size, key] of parts as Part[]) {
    const block = packed.subarray(at, at + size);
    if (kind === 'text') fields[field] = decoder.decode(block);
    else if (kind === 'map') fields[field].set(key, toBuffer(block));
    else fields[field] = toBuffer(block);
    at += size;
  }
  return cacheControl === undefined ? { lastModified, value: fields } : { lastModified, cacheControl, value: fields };
}

/** Whether it is a `Map`, of this realm or of another. */
function isMap(value: unknown): value is Map<string, Uint8Array> {
  return Object.prototype.toString.call(value) === '[object Map]';
}

/** Next.js expects a `Buffer` in Node; edge runtimes have none. */
function toBuffer(bytes: Uint8Array): Uint8Array {
  const { Buffer } = globalThis as {
    Buffer?: { from(memory: ArrayBufferLike, at: number, length: number): Uint8Array };
  };
  return Buffer === undefined ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
