// Numbers as text.

const MIB = 1024 * 1024;

/** A count with separators: 1,234. */
export function count(value: number): string {
  return value.toLocaleString('en');
}

/** A part as per cent with one digit: 66.0 %. */
export function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}

/** Bytes in the largest fitting unit. */
export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  return value < MIB ? `${trim(value / 1024)} KiB` : `${trim(value / MIB)} MiB`;
}

/** A count with a short unit, for axes: 200k. */
export function short(value: number): string {
  if (value >= 1e6) return `${trim(value / 1e6)}M`;
  return value >= 1e3 ? `${trim(value / 1e3)}k` : String(value);
}

function trim(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '');
}
