// Test runners: jest and vitest, in each of their environments.

import { join } from 'node:path';
import { ANSWER, IMPORTS, PROBE, REQUIRES } from '../probe.mjs';
import { output } from '../process.mjs';
import { project } from '../project.mjs';
import { pathOfNode, tool, version } from '../tools.mjs';

const BODY = `${PROBE}test('probe', () => { expect(probe(Cache, Protocol)).toBe('${ANSWER}'); });\n`;
const REQUIRING = REQUIRES + BODY;
const IMPORTING = IMPORTS + BODY;

const jest = (environment) => ({
  id: `jest-${environment}`,
  title: `jest ${environment}`,
  parts: ['default (CommonJS)', '--experimental-vm-modules'],
  isQuick: true,
  tools: ['jest'],
  version: () => version('jest'),
  async run({ part }) {
    const folder = await project(`jest-${environment}`, 'jest', {
      'package.json': JSON.stringify({ private: true, jest: { testEnvironment: environment } }),
      'default.test.js': REQUIRING,
      'esm/package.json': '{ "type": "module" }',
      'esm/modules.test.js': IMPORTING,
    });
    const program = join(await tool('jest'), 'node_modules/jest/bin/jest.js');
    const env = { PATH: await pathOfNode() };
    const passes = 'Tests:       1 passed, 1 total';
    const run = (pattern, ...flags) => () =>
      output('node', [...flags, program, '--no-cache', '--rootDir', folder, pattern], { cwd: folder, env });
    await Promise.all([
      part('default (CommonJS)', run('default.test'), passes),
      part('--experimental-vm-modules', run('modules.test', '--experimental-vm-modules'), passes),
    ]);
  },
});

const vitest = {
  id: 'vitest',
  title: 'vitest',
  parts: ['node', 'jsdom', 'happy-dom'],
  isQuick: true,
  tools: ['vitest'],
  version: () => version('vitest'),
  async run({ part }) {
    const folder = await project('vitest', 'vitest', {
      'a.test.mjs': `import { expect, test } from 'vitest';\n${IMPORTING}`,
      'vitest.config.mjs': 'export default { test: {} };\n',
    });
    const program = join(await tool('vitest'), 'node_modules/vitest/vitest.mjs');
    const env = { PATH: await pathOfNode() };
    const run = (environment) => {
      const flags = ['run', '--environment', environment, '--root', folder];
      return part(environment, () => output('node', [program, ...flags], { cwd: folder, env }), 'Tests  1 passed (1)');
    };
    await Promise.all(['node', 'jsdom', 'happy-dom'].map(run));
  },
};

export const rows = [jest('node'), jest('jsdom'), vitest];
