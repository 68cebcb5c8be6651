// Bars: a name, a value and the most or the least that it may be.

/** Whether the value was measured and keeps within its bar. */
export function isMet({ value, most, least }) {
  if (value === undefined || Number.isNaN(value)) return false;
  return most !== undefined ? value <= most : value >= least;
}

/** A table of bars for the terminal. */
export function table(bars) {
  const rows = bars.map((bar) => [bar.name, limit(bar), shown(bar), isMet(bar) ? 'met' : 'MISSED']);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map(([name, most, value, met]) => `${name.padEnd(widths[0])}  ${most.padStart(widths[1])}  ${value.padStart(widths[2])}  ${met}`)
    .join('\n');
}

/** `at most 3`, `at least 1.6`. */
export function limit({ most, least, unit = '' }) {
  return most !== undefined ? `at most ${most} ${unit}`.trim() : `at least ${least} ${unit}`.trim();
}

/** The value with the figures that count. */
export function shown({ value, unit = '' }) {
  if (value === undefined || Number.isNaN(value)) return 'not there';
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 3)} ${unit}`.trim();
}
