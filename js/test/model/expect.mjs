// Assertions that every runtime has.

/** A short text for a value of a test. */
export const show = (value) => long(value).slice(0, 300);

function long(value) {
  if (value instanceof Uint8Array) return `bytes ${value.length > 40 ? `${value.subarray(0, 40)}… (${value.length})` : value}`;
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) return `[${value.map(long).join(', ')}]`;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  return typeof value === 'object' && value !== null ? JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? `${inner}n` : inner)) : String(value);
}

function equal(one, other) {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  const [names, others] = [Object.keys(one), Object.keys(other)];
  if (Object.getPrototypeOf(one) !== Object.getPrototypeOf(other) || names.length !== others.length) return false;
  return names.every((name) => equal(one[name], other[name]));
}

/** Throws unless the two are the same in all their parts. */
export function expect(actual, expected) {
  if (!equal(actual, expected)) throw new Error(`is ${show(actual)}, not ${show(expected)}`);
}

/** Throws unless `work` throws an error of this type. */
export function expectError(work, type) {
  let thrown;
  try {
    work();
  } catch (error) {
    thrown = error;
  }
  if (!(thrown instanceof type)) throw new Error(`threw ${show(thrown)}, not a ${type.name}`);
}
