// Engines as text in scripts. gzip makes base64 a third larger than the engine, because three bytes share four letters and
// repetitions are lost. Here a byte is always the same one or two letters, and gzip adds less than two hundredths.

/** ASCII without the letters that mean something in a string, a template or a page. */
const ALPHABET = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).filter((letter) => !'\'"`\\$<'.includes(letter));
const ESCAPES = 2;

/** The bytes as `EngineText` (`src/entry/decoder.ts`). */
export function encode(bytes) {
  const counts = new Array(256).fill(0);
  for (const byte of bytes) counts[byte]++;
  const order = counts.map((_, byte) => byte).sort((a, b) => counts[b] - counts[a] || a - b);
  const escapes = ALPHABET.slice(0, ESCAPES).join('');
  const letters = ALPHABET.slice(ESCAPES).join('');
  const texts = [];
  order.forEach((byte, rank) => {
    const page = Math.floor(rank / letters.length);
    texts[byte] = (page === 0 ? '' : escapes[page - 1]) + letters[rank % letters.length];
  });
  return {
    length: bytes.length,
    bytes: Buffer.from(order).toString('hex'),
    letters,
    escapes,
    text: Array.from(bytes, (byte) => texts[byte]).join(''),
  };
}
