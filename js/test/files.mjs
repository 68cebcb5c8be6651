// The repository's transcripts.

import { readdirSync, readFileSync } from 'node:fs';
import { parse } from './transcript.mjs';

export const folder = new URL('../../tests/transcripts/', import.meta.url);

/** Every transcript, parsed. */
export function transcripts() {
  const names = readdirSync(folder).filter((name) => name.endsWith('.txt')).sort();
  return names.map((name) => parse(name.slice(0, -4), readFileSync(new URL(name, folder), 'utf8')));
}
