// Writes what the handlers are asked for, which the test reads.

import { appendFileSync } from 'node:fs';

export function log(...words) {
  if (process.env.HANDLER_LOG) appendFileSync(process.env.HANDLER_LOG, `${words.join(' ')}\n`);
}
