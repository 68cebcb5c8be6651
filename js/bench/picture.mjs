// Charts of bars as SVG, in colours that follow the reader's light or dark theme. The card has a background of its own, so
// that a viewer that knows no themes shows the light one.

const WIDTH = 720;
const MARGIN = 20;
const LABELS = 250;
const VALUES = 90;
const ROW = 24;
const BAR = 15;

const STYLE = `
.card{fill:#fff;stroke:#d0d7de}.text{fill:#1f2328}.note{fill:#59636e}
.ours{fill:#1a7f5a}.other{fill:#8c959f}.reference{fill:#c4cbd3}
text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif}.title{font-size:16px;font-weight:600}.group{font-weight:600}
@media (prefers-color-scheme:dark){.card{fill:#0d1117;stroke:#30363d}.text{fill:#f0f6fc}.note{fill:#9198a1}
.ours{fill:#3fb68b}.other{fill:#768390}.reference{fill:#444c56}}`;

/**
 * A chart: `groups` of `bars`, each with `label`, `value`, the text `shown` behind it, and `tone`: 'ours', 'other' or
 * 'reference'. All bars have one scale from zero.
 */
export function chart({ title, note, groups }) {
  const most = Math.max(...groups.flatMap(({ bars }) => bars.map(({ value }) => value)));
  const lines = [];
  let y = MARGIN + 16;
  const put = (text, x, kind) => lines.push(`<text class="${kind}" x="${x}" y="${y}">${escaped(text)}</text>`);
  put(title, MARGIN, 'text title');
  for (const { label, bars } of groups) {
    y += ROW + 6;
    put(label, MARGIN, 'text group');
    for (const { label: name, value, shown, tone } of bars) {
      y += ROW;
      put(name, MARGIN + 10, 'text');
      const width = Math.max(1, ((WIDTH - 2 * MARGIN - LABELS - VALUES) * value) / most);
      const x = MARGIN + LABELS;
      lines.push(`<rect class="${tone}" x="${x}" y="${y - 12}" width="${width.toFixed(1)}" height="${BAR}" rx="2"/>`);
      put(shown, Number((x + width + 8).toFixed(1)), 'text');
    }
  }
  y += ROW + 4;
  put(note, MARGIN, 'note');
  return picture(title, note, y + MARGIN - 4, lines);
}

function picture(title, note, height, lines) {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title><desc>${escaped(note)}</desc><style>${STYLE}</style>`,
    `<rect class="card" x=".5" y=".5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>`,
    ...lines,
    '</svg>\n',
  ].join('\n');
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
