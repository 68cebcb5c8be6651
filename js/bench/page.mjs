// Parts of pages between markers, which a run writes again.

import { readFileSync, writeFileSync } from 'node:fs';

const PLACES = ['docs/reference/javascript.md', 'js/README.md', 'README.md'];

/** Replaces every block of this name in the pages below `root`; returns the pages that have it. */
export function writeBlock(root, name, text) {
  const written = [];
  for (const place of PLACES) {
    const path = new URL(place, root);
    const page = readFileSync(path, 'utf8');
    const replaced = replaceBlock(page, name, text, place);
    if (replaced === undefined) continue;
    writeFileSync(path, replaced);
    written.push(place);
  }
  return written;
}

/** The page with another block, or undefined if it has none of this name. */
export function replaceBlock(page, name, text, place) {
  const [begin, end] = ['begin', 'end'].map((which) => `<!-- ${which} of what \`npm run bench -- --write\` writes: ${name} -->\n`);
  const from = page.indexOf(begin);
  if (from < 0) return undefined;
  const to = page.indexOf(end, from);
  if (to < 0) throw new Error(`${place} lacks the line ${end.trim()}`);
  return `${page.slice(0, from + begin.length)}${text}\n${page.slice(to)}`;
}

/** A table in Markdown: the first column is text, the others are numbers. */
export function markdown(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '--:'))), ...rows.map(line)].join('\n');
}
