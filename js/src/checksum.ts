// CRC-32, as gzip and PNG have it.

const POLYNOMIAL = 0xedb8_8320;
/** Bytes that one step of the loop takes. */
const STEP = 4;

let made: Uint32Array | undefined;

/** Row `n` has the effect of a byte that `n` other bytes follow. */
function tables(): Uint32Array {
  if (made !== undefined) return made;
  made = new Uint32Array(256 * STEP);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    made[byte] = crc;
  }
  for (let at = 256; at < made.length; at++) {
    const before = made[at - 256]!;
    made[at] = (before >>> 8) ^ made[before & 255]!;
  }
  return made;
}

/** The checksum of the bytes. */
export function crc32(bytes: Uint8Array): number {
  const table = tables();
  const whole = bytes.length - (bytes.length % STEP);
  let crc = -1;
  let at = 0;
  for (; at < whole; at += STEP) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc = table[768 + (crc & 255)]! ^ table[512 + ((crc >>> 8) & 255)]! ^ table[256 + ((crc >>> 16) & 255)]! ^ table[crc >>> 24]!;
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ table[(crc ^ bytes[at]!) & 255]!;
  return ~crc >>> 0;
}
