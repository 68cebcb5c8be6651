// Projects: folders beside a tool's packages, with the packed package in their own node_modules.

import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { output } from './process.mjs';
import { cache, js, tool } from './tools.mjs';

const installed = join(cache, 'installed');

/** Packs the package and installs it with npm; every project gets a copy. Returns the size of the tarball. */
export async function install() {
  rmSync(installed, { recursive: true, force: true });
  mkdirSync(installed, { recursive: true });
  const [packed] = JSON.parse(await output('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', installed], { cwd: js }));
  writeFileSync(join(installed, 'package.json'), '{ "private": true }');
  const flags = ['install', '--no-audit', '--no-fund', '--offline', '--ignore-scripts', join(installed, packed.filename)];
  await output('npm', flags, { cwd: installed });
  return packed.size;
}

/** Makes a project with these files (text by path) beside the packages of a tool. */
export async function project(name, toolName, files) {
  const home = toolName === undefined ? join(cache, 'projects') : join(await tool(toolName), 'projects');
  const folder = join(home, name.replace(/[^a-z0-9.]+/gi, '-'));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  cpSync(join(installed, 'node_modules/wasmcached'), join(folder, 'node_modules/wasmcached'), { recursive: true });
  write(folder, { 'package.json': '{ "private": true }', ...files });
  return folder;
}

/** Writes files into a folder. */
export function write(folder, files) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** The modules of rows. */
export const rowFiles = () => readdirSync(new URL('rows', import.meta.url)).filter((name) => name.endsWith('.mjs')).sort();
