// Numbers of 64 bits: as text in values, and as words of the engine.

/** Bytes at the start of a value that are looked at for a number, as the engine does. */
const NUMBER_TEXT_BYTES = 256;

/** The number at the start of a value, as memcached reads it: blanks may surround it, and anything may follow them. */
export function counterOf(value: Uint8Array): bigint | undefined {
  const text = String.fromCharCode(...value.subarray(0, NUMBER_TEXT_BYTES));
  const number = /^[\t-\r ]*\+?(\d+)(?:[\0\t-\r ]|$)/.exec(text);
  return number === null || BigInt(number[1]!) >= 2n ** 64n ? undefined : BigInt(number[1]!);
}

/** The lower and the upper 32 bits. */
export function halves(value: bigint): [number, number] {
  return [Number(value & 0xffff_ffffn), Number((value >> 32n) & 0xffff_ffffn)];
}
