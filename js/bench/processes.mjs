// Measurements that need a process of their own: `child.mjs` runs there and prints its result as JSON. Owns what differs
// between Node, Bun and Deno.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('child.mjs', import.meta.url));

/** Name and version of the runtime. */
export const RUNTIME = runtime();

/** The result of a measurement of `child.mjs` in a new process. */
export function inProcess(measurement, options = {}) {
  const flags = { Node: ['--expose-gc'], Bun: [], Deno: ['run', '-A', '--v8-flags=--expose-gc'] }[RUNTIME.name];
  const child = spawn(process.execPath, [...flags, script, measurement, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (bytes) => (output += bytes));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(output.slice(output.lastIndexOf('\n', output.length - 2) + 1)));
      else reject(new Error(`${measurement} ${JSON.stringify(options)} ended with ${code}`));
    });
  });
}

/** Collects all garbage, if the runtime lets programs ask for it. */
export function collect() {
  if (globalThis.Bun !== undefined) globalThis.Bun.gc(true);
  else globalThis.gc();
}

/** Resident bytes after the garbage is collected and the runtime had time to return pages. */
export async function residentBytes() {
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return process.memoryUsage().rss;
}

function runtime() {
  if (globalThis.Bun !== undefined) return { name: 'Bun', version: globalThis.Bun.version };
  if (globalThis.Deno !== undefined) return { name: 'Deno', version: globalThis.Deno.version.deno };
  return { name: 'Node', version: process.versions.node };
}
