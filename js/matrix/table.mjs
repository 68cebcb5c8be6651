// The table of the README.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { js } from './tools.mjs';

const BEGIN = '<!-- matrix: begin (npm run matrix -- --readme) -->';
const END = '<!-- matrix: end -->';

/** Writes the results between the markers. */
export function writeTable(rows) {
  const file = join(js, 'README.md');
  const readme = readFileSync(file, 'utf8');
  const [head, rest] = readme.split(BEGIN);
  const tail = rest?.split(END)[1];
  if (tail === undefined) throw new Error(`README.md has no line ${BEGIN} or ${END}`);
  writeFileSync(file, `${head}${BEGIN}\n${table(rows)}\n${END}${tail}`);
}

function table(rows) {
  const stamps = new Set(rows.map(({ date, commit }) => `${date}, commit ${commit}`));
  const lines = rows.map(({ title, version, parts }) => {
    const by = (state) => Object.entries(parts).filter(([, part]) => part.state === state).map(([name]) => name).join(' · ');
    const others = [by('fails') && `**fails**: ${by('fails')}`, by('not available') && `not tried (not in the registry): ${by('not available')}`];
    return `| ${title} ${version.split('.').slice(0, 2).join('.')} | ${[by('answers'), ...others].filter(Boolean).join('; ')} |`;
  });
  return [`Last run: ${[...stamps].join('; ')}.`, '', '| where | answers |', '|---|---|', ...lines].join('\n');
}
