// Cloudflare's own tools: miniflare, wrangler, the plugin for vite, and the one for vitest.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ANSWER, IMPORTS, PROBE } from '../probe.mjs';
import { output, start, stop, until } from '../process.mjs';
import { project } from '../project.mjs';
import { pathOfNode, tool, version } from '../tools.mjs';
import { WORKER, answerOfFiles } from '../worker.mjs';

const CONFIG = JSON.stringify({ name: 'probe', main: 'worker.mjs', compatibility_date: '2026-01-01' });
const QUIET = { WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' };

const env = async () => ({ ...QUIET, PATH: await pathOfNode() });

/** Starts a server, waits for its address, and passes it to `work`. */
async function serving(program, flags, folder, work) {
  const running = start('node', [program, ...flags], { cwd: folder, env: await env() });
  try {
    const [, url] = await until(running, /(http:\/\/(?:127\.0\.0\.1|localhost):\d+)/, 60_000);
    return await work(url);
  } catch (error) {
    throw new Error(`${error.message}\n${running.output.slice(-1500)}`);
  } finally {
    await stop(running);
  }
}

const text = async (url) => (await fetch(url, { signal: AbortSignal.timeout(60_000) })).text();

const miniflare = {
  id: 'miniflare',
  title: 'miniflare',
  parts: ['ES modules', 'CommonJS'],
  isQuick: true,
  tools: ['miniflare'],
  version: () => version('miniflare'),
  async run({ part }) {
    const folder = await project('miniflare', 'miniflare', {});
    await part('ES modules', () => answerOfFiles(folder, false));
    await part('CommonJS', () => answerOfFiles(folder, true));
  },
};

const wrangler = {
  id: 'wrangler',
  title: 'wrangler',
  parts: ['dev', 'deploy --dry-run'],
  tools: ['workers'],
  version: () => version('workers', 'wrangler'),
  async run({ part }) {
    const folder = await project('wrangler', 'workers', { 'worker.mjs': WORKER, 'wrangler.json': CONFIG });
    const program = join(await tool('workers'), 'node_modules/wrangler/bin/wrangler.js');
    const flags = ['dev', '--ip', '127.0.0.1', '--port', '0', '--inspector-port', '0', '--local'];
    await part('dev', () => serving(program, flags, folder, text));
    await part('deploy --dry-run', async () => {
      await output('node', [program, 'deploy', '--dry-run', '--outdir', 'out'], { cwd: folder, env: await env() });
      return `engines: ${readdirSync(join(folder, 'out')).filter((name) => name.endsWith('.wasm')).length}`;
    }, 'engines: 2');
  },
};

const VITE_CONFIG = `import { cloudflare } from '@cloudflare/vite-plugin';
export default { plugins: [cloudflare({ inspectorPort: false })], server: { host: '127.0.0.1' }, preview: { host: '127.0.0.1' } };
`;

const vitePlugin = {
  id: 'vite-plugin',
  title: '@cloudflare/vite-plugin',
  parts: ['dev', 'build and preview'],
  tools: ['workers'],
  version: () => version('workers', '@cloudflare/vite-plugin'),
  async run({ part }) {
    const folder = await project('vite-plugin', 'workers', {
      'worker.mjs': WORKER,
      'wrangler.json': CONFIG,
      'vite.config.mjs': VITE_CONFIG,
    });
    const program = join(await tool('workers'), 'node_modules/vite/bin/vite.js');
    await part('dev', () => serving(program, ['dev', '--port', '0'], folder, text));
    await part('build and preview', async () => {
      await output('node', [program, 'build'], { cwd: folder, env: await env() });
      return serving(program, ['preview', '--port', '0'], folder, text);
    });
  },
};

const VITEST_CONFIG = `import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';
export default defineConfig({ plugins: [cloudflareTest({ wrangler: { configPath: './wrangler.json' } })] });
`;

const workersVitest = {
  id: 'workers-vitest',
  title: '@cloudflare/vitest-plugin',
  parts: ['test'],
  tools: ['workers-vitest'],
  version: () => version('workers-vitest', '@cloudflare/vitest-plugin'),
  async run({ part }) {
    const folder = await project('workers-vitest', 'workers-vitest', {
      'worker.mjs': WORKER,
      'wrangler.json': CONFIG,
      'vitest.config.mjs': VITEST_CONFIG,
      'a.test.mjs': `import { expect, test } from 'vitest';\n${IMPORTS}${PROBE}test('probe', () => { expect(probe(Cache, Protocol)).toBe('${ANSWER}'); });\n`,
    });
    const program = join(await tool('workers-vitest'), 'node_modules/vitest/vitest.mjs');
    await part('test', async () => output('node', [program, 'run'], { cwd: folder, env: await env() }), 'Tests  1 passed (1)');
  },
};

export const rows = [miniflare, wrangler, vitePlugin, workersVitest];
