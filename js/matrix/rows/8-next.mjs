// Next.js, built and started: a client page, a Node route, an edge route and middleware, by both bundlers.

import { join } from 'node:path';
import { textOf } from '../browser.mjs';
import { PROBE_MODULE } from '../probe.mjs';
import { output, start, stop, until } from '../process.mjs';
import { project } from '../project.mjs';
import { pathOfNode, tool, version } from '../tools.mjs';

const BUILD_MS = 240_000;

const route = (runtime) => `import { Cache } from 'wasmcached';
import { Protocol } from 'wasmcached/protocol';
import { probe } from '../probe.mjs';
export const runtime = '${runtime}';
export const dynamic = 'force-dynamic';
export function GET() {
  try { return new Response(probe(Cache, Protocol)); } catch (error) { return new Response(String(error.stack)); }
}
`;

const FILES = {
  'app/layout.jsx': 'export default function Layout({ children }) { return <html><body>{children}</body></html>; }\n',
  'app/page.jsx': `'use client';
import { useEffect, useState } from 'react';
import { Cache } from 'wasmcached';
import { Protocol } from 'wasmcached/protocol';
import { probe } from './probe.mjs';
export default function Page() {
  const [text, setText] = useState('…');
  useEffect(() => { try { setText(probe(Cache, Protocol)); } catch (error) { setText(String(error)); } }, []);
  return text;
}
`,
  'app/probe.mjs': PROBE_MODULE,
  'app/node/route.js': route('nodejs'),
  'app/edge/route.js': route('edge'),
  'middleware.js': `import { Cache } from 'wasmcached';
import { Protocol } from 'wasmcached/protocol';
import { probe } from './app/probe.mjs';
export const config = { matcher: '/middle' };
export function middleware() {
  try { return new Response(probe(Cache, Protocol)); } catch (error) { return new Response(String(error.stack)); }
}
`,
};

const row = (bundler) => ({
  id: `next-${bundler}`,
  title: `Next.js by ${bundler}`,
  parts: ['Node route', 'edge route', 'middleware', 'client page'],
  tools: ['next', 'browsers'],
  version: () => version('next'),
  async run({ part }) {
    const home = await tool('next');
    const folder = await project(`next-${bundler}`, 'next', {
      ...FILES,
      // The packages lie in a folder above.
      'next.config.mjs': `export default { turbopack: { root: ${JSON.stringify(home)} }, outputFileTracingRoot: ${JSON.stringify(home)} };\n`,
    });
    const program = join(home, 'node_modules/next/dist/bin/next');
    const env = { PATH: await pathOfNode(), NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' };
    await output('node', [program, 'build', `--${bundler}`], { cwd: folder, env, ms: BUILD_MS });
    const running = start('node', [program, 'start', '-H', '127.0.0.1', '-p', '0'], { cwd: folder, env });
    try {
      const [, url] = await until(running, /(http:\/\/127\.0\.0\.1:\d+)/);
      const text = (path) => async () => (await fetch(url + path, { signal: AbortSignal.timeout(60_000) })).text();
      await part('Node route', text('/node'));
      await part('edge route', text('/edge'));
      await part('middleware', text('/middle'));
      await part('client page', () => textOf('chrome', url));
    } finally {
      await stop(running);
    }
  },
});

export const rows = [row('turbopack'), row('webpack')];
