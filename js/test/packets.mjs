// Packets of the binary protocol as lines of a transcript (tests/transcripts/README.md has the fields). Bytes are strings
// of characters 0 to 255, as in transcript.mjs. `fill` turns the text of a field into such bytes.

export const HEADER_BYTES = 24;

const OPCODES = {
  get: 0x00, set: 0x01, add: 0x02, replace: 0x03, delete: 0x04, incr: 0x05, decr: 0x06, quit: 0x07, flush: 0x08,
  getq: 0x09, noop: 0x0a, version: 0x0b, getk: 0x0c, getkq: 0x0d, append: 0x0e, prepend: 0x0f, stat: 0x10,
  setq: 0x11, addq: 0x12, replaceq: 0x13, deleteq: 0x14, incrq: 0x15, decrq: 0x16, quitq: 0x17, flushq: 0x18,
  appendq: 0x19, prependq: 0x1a, verbosity: 0x1b, touch: 0x1c, gat: 0x1d, gatq: 0x1e, sasl_list: 0x20,
  sasl_auth: 0x21, sasl_step: 0x22, gatk: 0x23, gatkq: 0x24, rget: 0x30, config_get: 0x60,
}; // prettier-ignore

const STATUSES = {
  0x01: 'Not found',
  0x02: 'Data exists for key.',
  0x03: 'Too large.',
  0x04: 'Invalid arguments',
  0x05: 'Not stored.',
  0x06: 'Non-numeric server-side value for incr or decr',
  0x20: 'Auth failure.',
  0x81: 'Unknown command',
  0x82: 'Out of memory allocating item',
};

const REQUEST_FIELDS = new Set(
  'opaque key value cas flags exptime delta initial ext magic keylen extlen bodylen datatype vbucket'.split(' '),
);
const ANSWER_FIELDS = new Set('opaque status key value cas flags number'.split(' '));

/** The text after `>b ` as { opcode, fields }; unknown fields are errors. */
export function request(text) {
  return parse(text, REQUEST_FIELDS);
}

/** The text after `<b `. */
export function answer(text) {
  return parse(text, ANSWER_FIELDS);
}

function parse(text, known) {
  const [name, ...words] = text.trim().split(/\s+/);
  const opcode = name.startsWith('0x') ? Number(name) : OPCODES[name];
  if (!(opcode >= 0)) throw new Error(`no opcode \`${name}\``);
  const fields = {};
  for (const word of words) {
    const at = word.indexOf('=');
    const field = word.slice(0, at);
    if (at < 0 || !known.has(field) || field in fields) throw new Error(`\`${word}\` is no field here`);
    fields[field] = word.slice(at + 1);
  }
  return { opcode, fields };
}

/** The bytes of a request. */
export function build({ opcode, fields }, fill) {
  const text = (field) => (field in fields ? fill(fields[field]) : '');
  const number = (field, otherwise) => (field in fields ? BigInt(fill(fields[field])) : BigInt(otherwise));
  const word = (field) => big(number(field, 0), 4);
  const extras = () => {
    if ('ext' in fields) return text('ext');
    const base = opcode >= 0x11 && opcode <= 0x1a ? { 0x11: 1, 0x12: 2, 0x13: 3, 0x15: 5, 0x16: 6, 0x18: 8 }[opcode] : opcode;
    if (base >= 1 && base <= 3) return word('flags') + word('exptime');
    if (base === 5 || base === 6) return big(number('delta', 1), 8) + big(number('initial', 0), 8) + word('exptime');
    if ([0x1c, 0x1d, 0x1e, 0x23, 0x24].includes(opcode)) return word('exptime');
    return base === 8 && 'exptime' in fields ? word('exptime') : '';
  };
  const ext = extras();
  const [key, value] = [text('key'), text('value')];
  const body = ext + key + value;
  return (
    big(number('magic', 0x80), 1) +
    big(opcode, 1) +
    big(number('keylen', key.length), 2) +
    big(number('extlen', ext.length), 1) +
    big(number('datatype', 0), 1) +
    big(number('vbucket', 0), 2) +
    big(number('bodylen', body.length), 4) +
    big(number('opaque', 0), 4) +
    big(number('cas', 0), 8) +
    body
  );
}

/** Splits the bytes into the first packet and the rest. */
export function take(bytes) {
  const length = HEADER_BYTES + Number(numberOf(bytes.slice(8, 12)));
  if (bytes.length < length || bytes.charCodeAt(0) !== 0x81) return undefined;
  const [extras, key] = [bytes.charCodeAt(4), Number(numberOf(bytes.slice(2, 4)))];
  const at = HEADER_BYTES + extras;
  return {
    opcode: bytes.charCodeAt(1),
    status: Number(numberOf(bytes.slice(6, 8))),
    opaque: Number(numberOf(bytes.slice(12, 16))),
    cas: numberOf(bytes.slice(16, 24)),
    extras: bytes.slice(HEADER_BYTES, at),
    key: bytes.slice(at, at + key),
    value: bytes.slice(at + key, length),
    rest: bytes.slice(length),
  };
}

/** Compares a received packet with the expected one; returns the variables that it sets. */
export function compare({ opcode, fields }, got, fill) {
  const wrong = [];
  const same = (what, expected, actual) => {
    if (expected !== actual) wrong.push(`${what} ${JSON.stringify(String(actual))} instead of ${JSON.stringify(String(expected))}`);
  };
  const number = (field) => BigInt(field in fields ? fill(fields[field]) : 0);
  const status = Number(number('status'));
  same('opcode', opcode, got.opcode);
  same('status', status, got.status);
  same('opaque', Number(number('opaque')), got.opaque);
  same('extras', 'flags' in fields ? big(number('flags'), 4) : '', got.extras);
  same('key', 'key' in fields ? fill(fields.key) : '', got.key);
  const { value, cas = '0' } = fields;
  if (value?.startsWith('~')) {
    if (!new RegExp(`^(?:${value.slice(1)})$`, 's').test(got.value)) same('value', value, got.value);
  } else if (value !== undefined) {
    same('value', fill(value), got.value);
  } else if ('number' in fields) {
    same('number', number('number'), numberOf(got.value));
  } else {
    same('value', STATUSES[status] ?? '', got.value);
  }
  const variables = {};
  if (!cas.startsWith('+')) same('cas', number('cas'), got.cas);
  else if (got.cas === 0n) same('cas', 'a unique', 0n);
  else if (cas.length > 1) variables[cas.slice(1)] = String(got.cas);
  if (wrong.length > 0) throw new Error(wrong.join(', '));
  return variables;
}

/** Encodes a number as big-endian bytes. */
function big(number, length) {
  let bytes = '';
  for (let rest = BigInt(number), i = 0; i < length; i++, rest >>= 8n) bytes = String.fromCharCode(Number(rest & 255n)) + bytes;
  return bytes;
}

/** Decodes a big-endian number. */
function numberOf(bytes) {
  let number = 0n;
  for (const byte of bytes) number = (number << 8n) | BigInt(byte.charCodeAt(0));
  return number;
}
