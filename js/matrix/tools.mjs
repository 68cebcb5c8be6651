// The tools that rows need: one folder each below target/matrix, installed once and kept.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { finish } from './process.mjs';

/** The folder of the npm package. */
export const js = fileURLToPath(new URL('..', import.meta.url));
/** Downloads and results; reruns find them here. */
export const cache = process.env.WASMCACHED_MATRIX ?? join(js, '../target/matrix');

/** Limit of an installation; the largest has a thousand packages. */
const INSTALL_MS = 300_000;
/** Installations at a time. */
const INSTALLATIONS_MAX = 4;

/** Packages by the name of their folder. Versions are ranges: the matrix tries what a user gets today. */
const TOOLS = {
  node20: { node: '20' },
  node22: { node: '22' },
  node24: { node: '24' },
  node26: { node: '26' },
  deno: { deno: '2' },
  bun: { bun: '1' },
  // The last stable line; the newest wrangler brings a beta with another interface.
  miniflare: { miniflare: '4' },
  workers: { wrangler: '4', vite: '8', '@cloudflare/vite-plugin': '1' },
  'workers-vitest': { vitest: '5', '@cloudflare/vitest-plugin': '1' },
  next: { next: '16', react: '19', 'react-dom': '19' },
  bundlers: {
    vite: '8',
    webpack: '5',
    rollup: '4',
    '@rollup/plugin-node-resolve': '16',
    rolldown: '1',
    esbuild: '0.28',
  },
  jest: { jest: '30', 'jest-environment-jsdom': '30' },
  vitest: { vitest: '5', jsdom: '31', 'happy-dom': '21' },
  'typescript5.4': { typescript: '5.4' },
  'typescript5.6': { typescript: '5.6' },
  'typescript5.9': { typescript: '5.9' },
  typescript7: { typescript: '7' },
  electron: { electron: '45' },
  adapters: { keyv: '6', keyv5: 'npm:keyv@5', 'cache-manager': '7', cacheable: '2', unstorage: '1' },
  browsers: { 'puppeteer-core': '25' },
};

/** A row throws this if a tool is in no registry that this machine can reach. */
export class Unavailable extends Error {}

const found = new Map();

/** The folder of a tool, installed if it is missing. */
export function tool(name) {
  if (!found.has(name)) found.set(name, install(name));
  return found.get(name);
}

async function install(name) {
  const folder = join(cache, 'tools', name);
  const manifest = JSON.stringify({ private: true, dependencies: TOOLS[name] });
  const stamp = join(folder, 'installed.json');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === manifest) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), manifest);
  const flags = ['install', '--no-audit', '--no-fund', '--no-package-lock', '--prefer-offline', '--loglevel=error'];
  // Some packages look at the version of the Node that installs them.
  const env = name.startsWith('node') ? {} : { PATH: await pathOfNode() };
  const { code, output } = await finish('npm', flags, { cwd: folder, env, ms: INSTALL_MS });
  if (code !== 0) {
    const last = output.trim().split('\n').find((line) => /E404|ETARGET|ENOTFOUND|npm error/.test(line)) ?? output.slice(-200);
    throw new Unavailable(`npm cannot install ${Object.keys(TOOLS[name]).join(', ')}: ${last.trim()}`);
  }
  writeFileSync(stamp, manifest);
  return folder;
}

/** Installs tools beside each other, as their packages come over the network. A failure is reported by the rows of the tool. */
export async function installAll(names) {
  const waiting = [...new Set(names)];
  const work = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await tool(name).catch(() => {});
  };
  await Promise.all(Array.from({ length: INSTALLATIONS_MAX }, work));
}

/** The version of a package of a tool. */
export async function version(name, of = name.replace(/[\d.]+$/, '')) {
  const file = join(await tool(name), 'node_modules', of, 'package.json');
  return JSON.parse(readFileSync(file, 'utf8')).version;
}

/** A program of Node, by its release: `node24`. */
export const node = async (name) => join(await tool(name), 'node_modules/node/bin/node');

/** A search path on which Node 24 comes first: new tools refuse Node 20. */
export const pathOfNode = async () => `${dirname(await node('node24'))}:${process.env.PATH}`;
