// Typed text as requests: a command line, and the data behind it if the command has some.

import { helpOf } from './commands.js';
import { bytesOf } from './engine.js';

/** One request. */
export interface Request {
  readonly words: readonly string[];
  /** Its name, the first word. */
  readonly name: string;
  /** Bytes of data that the line announces; undefined if the command has none, or no valid number. */
  readonly dataBytes: number | undefined;
  /** The data, if it was typed already. */
  data: string | undefined;
}

/** Parses a command line. */
export function parseLine(line: string): Request {
  const words = line.split(' ').filter((word) => word !== '');
  const at = helpOf(words[0] ?? '')?.dataAt;
  const announced = at === undefined ? undefined : words[at];
  const dataBytes = announced !== undefined && /^\d{1,9}$/.test(announced) ? Number(announced) : undefined;
  return { words, name: words[0] ?? '', dataBytes, data: undefined };
}

/** Parses typed text, in which `\r\n` ends a line. The last request may lack its data. */
export function parse(text: string): Request[] {
  const lines = text.replaceAll('\\r\\n', '\n').replaceAll('\r', '').split('\n');
  const requests: Request[] = [];
  while (lines.length > 0) {
    const request = parseLine(lines.shift() ?? '');
    if (request.dataBytes !== undefined && lines.length > 0) request.data = takeData(request.dataBytes, lines);
    if (request.name !== '') requests.push(request);
  }
  return requests;
}

/** Data may have several lines. */
function takeData(bytes: number, lines: string[]): string {
  let data = lines.shift() ?? '';
  while (bytesOf(data) < bytes && lines.length > 0) data += `\r\n${lines.shift()}`;
  return data;
}

/** The bytes for the engine. */
export function wire(request: Request): string {
  const line = `${request.words.join(' ')}\r\n`;
  return request.data === undefined ? line : `${line}${request.data}\r\n`;
}

/** The keys that the request names. */
export function keysOf(request: Request): string[] {
  const help = helpOf(request.name);
  if (help?.keyAt === undefined) return [];
  const end = help.isMany === true ? undefined : help.keyAt + 1;
  return request.words.slice(help.keyAt, end);
}
