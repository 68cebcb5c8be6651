// A response as bytes, and what its headers say about how long it may be kept.

/** The part before the body, in JSON. */
interface ResponseHeader {
  status: number;
  statusText: string;
  headers: [string, string][];
  /** The headers of the request. */
  request: [string, string][];
  /** `false` for a response without a body, as to status 204. */
  hasBody: boolean;
}

const HEAD_BYTES = 4;

export function packResponse(request: Request, response: Response, body: Uint8Array | null): Uint8Array {
  const { status, statusText } = response;
  const headers = [...response.headers].filter(([name]) => name !== 'set-cookie') as [string, string][];
  const header: ResponseHeader = {
    status,
    statusText,
    headers,
    request: [...request.headers] as [string, string][],
    hasBody: body !== null,
  };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const packed = new Uint8Array(HEAD_BYTES + text.length + (body?.length ?? 0));
  new DataView(packed.buffer).setUint32(0, text.length);
  packed.set(text, HEAD_BYTES);
  if (body !== null) packed.set(body, HEAD_BYTES + text.length);
  return packed;
}

export function unpackResponse(packed: Uint8Array): Response {
  const { header, end } = unpackHeader(packed);
  const { status, statusText, headers, hasBody } = header;
  return new Response(hasBody ? packed.slice(end) : null, { status, statusText, headers });
}

/** The headers of the request that was stored. */
export function unpackRequest(packed: Uint8Array): [string, string][] {
  return unpackHeader(packed).header.request;
}

function unpackHeader(packed: Uint8Array): { header: ResponseHeader; end: number } {
  const end = HEAD_BYTES + new DataView(packed.buffer, packed.byteOffset).getUint32(0);
  return { header: JSON.parse(new TextDecoder().decode(packed.subarray(HEAD_BYTES, end))), end };
}

/** The request headers on which a response depends, in lower case. */
export function varyNames(headers: Headers): string[] {
  const names = (headers.get('vary') ?? '').split(',').map((name) => name.trim().toLowerCase());
  return names.filter((name) => name !== '');
}

/**
 * How many milliseconds a response may be kept: 0 if it says nothing about it, `undefined` if it may not be kept at all.
 */
export function lifetime({ headers }: Response): number | undefined {
  const control = directives(headers.get('cache-control') ?? '');
  const mayDropCookie = control.get('private')?.toLowerCase() === 'set-cookie';
  if (headers.has('set-cookie') && !mayDropCookie) return undefined;
  if (control.has('no-store') || control.has('no-cache') || (control.has('private') && !mayDropCookie))
    return undefined;
  const seconds = fresh(control, headers);
  if (seconds === undefined) return 0;
  const left = (seconds - (Number(headers.get('age')) || 0)) * 1000;
  return left > 0 ? left : undefined;
}

/** Seconds from the answer of the origin on, or `undefined` if it gave no time. */
function fresh(control: Map<string, string>, headers: Headers): number | undefined {
  const age = control.get('s-maxage') ?? control.get('max-age');
  if (age !== undefined) return /^\d+$/.test(age) ? Number(age) : 0;
  const expires = headers.get('expires');
  if (expires === null) return undefined;
  const date = Date.parse(headers.get('date') ?? '');
  const end = Date.parse(expires);
  // RFC 9111: a date that cannot be read, `0` above all, lies in the past.
  return Number.isNaN(end) ? 0 : (end - (Number.isNaN(date) ? Date.now() : date)) / 1000;
}

function directives(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, name, quoted, plain] of text.matchAll(/([^\s,;=]+)(?:\s*=\s*(?:"([^"]*)"|([^\s,;]*)))?/g)) {
    if (!found.has(name!.toLowerCase())) found.set(name!.toLowerCase(), quoted ?? plain ?? '');
  }
  return found;
}
