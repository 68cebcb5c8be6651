// Explanations of memcached's terse replies, in a sentence.

import { helpOf, similar } from './commands.js';
import { bytesOf } from './engine.js';
import { keysOf, type Request } from './request.js';

/** Longest key of the protocol, in bytes. */
const KEY_BYTES_MAX = 250;

const RETRIEVALS = new Set(['get', 'gets', 'gat', 'gats']);

/** The explanation of a reply; undefined if the reply speaks for itself. */
export function explain(request: Request, reply: string): string | undefined {
  const [first] = reply.split('\r\n', 1);
  const [word] = first.split(' ', 1);
  if (first === 'END' && RETRIEVALS.has(request.name)) {
    return keysOf(request).length === 1 ? 'A miss: the key has no value.' : 'Misses: none of the keys has a value.';
  }
  if (word === 'ERROR') return unknown(request);
  if (word === 'CLIENT_ERROR') return refused(request, first);
  if (first.startsWith('SERVER_ERROR object too large')) {
    return 'The value is larger than this cache accepts for one item. Nothing was stored, and an old value is gone.';
  }
  return MEANINGS[word]?.(request);
}

const MEANINGS: Record<string, (request: Request) => string | undefined> = {
  STORED: () => undefined,
  HD: ({ name }) => ({ mg: 'A hit. Add v to see the value.', ms: 'Stored.', md: 'Deleted.', ma: 'Done. Add v to see the number.' })[name],
  EN: () => 'A miss: the key has no value.',
  NF: () => 'Not found: the key has no value.',
  NS: ({ words }) => `Not stored: ${words.some((word) => word.startsWith('M')) ? 'the mode (M…) did not allow it.' : 'a condition was not met.'}`,
  EX: () => 'Not stored: the value changed since its unique was read.',
  NOT_FOUND: () => 'The key has no value.',
  EXISTS: () => 'Not stored: the value changed since gets returned this unique.',
  NOT_STORED: ({ name }) => (name === 'add' ? 'Not stored: the key has a value already.' : 'Not stored: the key has no value yet.'),
  MN: () => 'The end of a batch: everything before it was answered.',
};

function unknown(request: Request): string {
  const help = helpOf(request.name);
  if (help !== undefined) return usage(help.name, help.parameters);
  const nearest = similar(request.name);
  const advice = nearest === undefined ? 'Type a letter to see commands below the prompt.' : `Did you mean ${nearest}?`;
  return `memcached has no command ${quoted(request.name)}. ${advice}`;
}

function refused(request: Request, first: string): string | undefined {
  const { data, dataBytes, name } = request;
  if (data !== undefined && dataBytes !== undefined && bytesOf(data) !== dataBytes) {
    return `The data has ${bytesOf(data)} bytes, but the command announced ${dataBytes}. Nothing was stored.`;
  }
  const long = keysOf(request).find((key) => bytesOf(key) > KEY_BYTES_MAX);
  if (long !== undefined) return `A key has ${bytesOf(long)} bytes; ${KEY_BYTES_MAX} are the limit.`;
  if (first.includes('non-numeric')) return 'The value is not a number, and only numbers can be counted.';
  const help = helpOf(name);
  return help === undefined ? undefined : usage(help.name, help.parameters);
}

function usage(name: string, parameters: string): string {
  return parameters === '' ? `${name} takes no arguments.` : `Write: ${name} ${parameters}`;
}

function quoted(name: string): string {
  return `“${name.length > 30 ? `${name.slice(0, 30)}…` : name}”`;
}
