// Numbers of 64 bits: as text in values, and as words of the engine.

/** Bytes at the start of a value that are looked at for a number, as the engine does. */
const NUMBER_TEXT_BYTES = 256;

/** The number at the start of a value, as memcached reads it: blanks may surround it, and anything may follow them. */
function counterOf(value: Uint8Array): bigint | undefined {
  const text = String.fromCharCode(...value.subarray(0, NUMBER_TEXT_BYTES));
  const number = /^[\t-\r ]*\+?(\d+)(?:[\0\t-\r ]|$)/.exec(text);
  return number === null || BigInt(number[1]!) >= 2n ** 64n ? undefined : BigInt(number[1]!);
}

/** The number at the start of a value and `delta` together, or what is left of it; `undefined` if there is no number. */
export function sumOf(value: Uint8Array, delta: bigint, subtracts: boolean): bigint | undefined {
  const old = counterOf(value);
  if (old === undefined) return undefined;
  if (subtracts) return old > delta ? old - delta : 0n;
  return BigInt.asUintN(64, old + delta);
}

/** The lower and the upper 32 bits. */
export function halves(value: bigint): [number, number] {
  return [Number(value & 0xffff_ffffn), Number((value >> 32n) & 0xffff_ffffn)];
}
