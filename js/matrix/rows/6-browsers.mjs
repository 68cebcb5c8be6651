// Browsers: plain ES modules without a bundler, and pages with a content security policy.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PAGE, SHOW, served, textOf } from '../browser.mjs';
import { PROBE } from '../probe.mjs';
import { output } from '../process.mjs';
import { project } from '../project.mjs';

const MAIN = `import { Cache } from '/node_modules/wasmcached/dist/inline.js';\nimport { Protocol } from '/node_modules/wasmcached/dist/protocol.js';\n${PROBE}${SHOW}`;
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'";

const row = (browser, title, versionOf) => ({
  id: browser,
  title,
  parts: ['modules without a bundler', "policy with 'wasm-unsafe-eval'", "policy without: the error says what to do"],
  isQuick: true,
  tools: ['browsers'],
  version: versionOf,
  async run({ part }) {
    const folder = await project(browser, undefined, { 'index.html': PAGE, 'main.js': MAIN });
    const file = (path) => {
      try {
        return readFileSync(join(folder, path));
      } catch {
        return undefined;
      }
    };
    const show = (policy) => () => served(file, (url) => textOf(browser, url), policy);
    await Promise.all([
      part('modules without a bundler', show(undefined)),
      part("policy with 'wasm-unsafe-eval'", show(POLICY)),
      part('policy without: the error says what to do', show("default-src 'none'; script-src 'self'"), "'wasm-unsafe-eval'"),
    ]);
  },
});

const of = (program, pattern) => async () => pattern.exec(await output(program, ['--version'], { cwd: '/' }).catch(() => ''))?.[1] ?? '';

export const rows = [
  row('chrome', 'Chromium', of('/usr/bin/chromium', /Chromium (\S+)/)),
  row('firefox', 'Firefox', of('/usr/bin/firefox-esr', /Firefox (\S+)/)),
];
