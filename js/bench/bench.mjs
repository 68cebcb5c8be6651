// The benchmark of the package: `npm run bench -- --help`.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HELP = `Usage: npm run bench -- [--only PART,...] [--trace FILE] [--check] [--write]

Measures the package in dist/ (build it first: \`cargo xtask js\`) beside lru-cache and others, and prints tables.
With Bun or Deno in place of Node: \`bun bench/bench.mjs --only time\`, \`deno run -A bench/bench.mjs --only time\`.

  --only PART,...  time, memory, hits, startup, chromium, trace; without it all of them
  --trace FILE     the trace to replay: lines of time_s,key,bytes, compressed with zstd if its name ends in .zst
  --check          prints each bar with what was measured, and exits with 1 if one is missed
  --write          renews docs/reference/javascript.md, the head of the READMEs, and docs/images/js-*.svg

Times are processor time where the runtime tells it (browsers: wall time), medians of rounds in turn; ratios are
medians of the ratios of a round. A busy machine still shows: run it on a quiet one, and look at the load in the head.
`;

const flags = arguments_();
if (flags.help) {
  console.log(HELP);
  process.exit(0);
}
installLibraries();
const { run } = await import('./parts.mjs');
process.exitCode = (await run(flags)) ? 0 : 1;

function arguments_() {
  const options = {
    only: { type: 'string' },
    trace: { type: 'string' },
    check: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  };
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    console.error(`${error.message}\n\n${HELP}`);
    return process.exit(2);
  }
}

/** The other caches are installed at the first run, because nothing else needs them. */
function installLibraries() {
  const folder = join(dirname(fileURLToPath(import.meta.url)), 'libraries');
  if (existsSync(join(folder, 'node_modules/lru-cache'))) return;
  console.error('installing the libraries to compare with');
  const windows = process.platform === 'win32';
  execFileSync(windows ? 'npm.cmd' : 'npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'inherit', shell: windows });
}
