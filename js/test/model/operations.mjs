// Each method of a cache for one key or a few, once with the cache and once with the reference.

import { expect, expectError } from './expect.mjs';
import { bytesOf, nameOf, textOf } from './reference.mjs';
import { formOf, keyOf, keysOf, optionsOf, TOO_LARGE_BYTES, valueForm, valueOf } from './values.mjs';

/** Values over this length are not extended, so that they do not become too large. */
const EXTENDED_BYTES_MAX = 50_000;

/** A key in the form for the model and in that for the cache. */
function some({ random, cache }) {
  const key = keyOf(random);
  return [key, formOf(random, cache, key)];
}

const copy = (entry) => entry?.value;

/** Options with the default of the namespace. */
const full = ({ ttl }, options = {}) => ({ ttl, ...options });

/** A value that `store` stores, if `expected` says so. */
function storing(world, store, expected) {
  const { random, model, path } = world;
  const [key, form] = some(world);
  const options = optionsOf(random);
  const result = expected(key);
  const value = valueOf(random);
  expect(store(form, valueForm(random, value), options), result ?? world.view);
  if (result !== false) model.set(path, key, value, full(world, options));
}

export const READS = {
  get: (world) => {
    const [key, form] = some(world);
    const value = world.view.get(form);
    expect(value, copy(world.model.find(world.path, key)));
    // A value that was handed out belongs to the caller.
    value?.fill(0);
  },
  getText: (world) => {
    const [key, form] = some(world);
    const found = world.model.find(world.path, key);
    expect(world.view.getText(form), found === undefined ? undefined : textOf(found.value));
  },
  has: (world) => {
    const [key, form] = some(world);
    expect(world.view.has(form), world.model.find(world.path, key) !== undefined);
  },
  peek: (world) => {
    const [key, form] = some(world);
    expect(world.view.peek(form), copy(world.model.find(world.path, key)));
  },
  gets: (world) => {
    const [key, form] = some(world);
    const [found, expected] = [world.view.gets(form), world.model.find(world.path, key)];
    if (expected === undefined) return expect(found, undefined);
    const { value, flags } = expected;
    expect(found, { value, flags, cas: found?.cas, ttl: world.model.remaining(expected) });
    world.uniques.set(`${world.path} ${nameOf(key)}`, { cas: found.cas, version: expected.version });
  },
  getInto: (world) => {
    const [key, form] = some(world);
    const expected = world.model.find(world.path, key);
    const into = new Uint8Array(world.random.once(2) ? 200 : 100_000);
    if (expected !== undefined && expected.value.length > into.length) return expectError(() => world.view.getInto(form, into), RangeError);
    expect(world.view.getInto(form, into), expected?.value.length);
    if (expected !== undefined) expect(into.slice(0, expected.value.length), expected.value);
  },
  use: (world) => {
    const [key, form] = some(world);
    expect(world.view.use(form, (bytes) => bytes.slice()), copy(world.model.find(world.path, key)));
  },
  getMany: (world) => {
    const keys = keysOf(world.random);
    const forms = keys.map((key) => formOf(world.random, world.cache, key));
    expect(world.view.getMany(forms), keys.map((key) => copy(world.model.find(world.path, key))));
  },
  getRemainingTTL: (world) => {
    const [key, form] = some(world);
    const found = world.model.find(world.path, key);
    expect(world.view.getRemainingTTL(form), found === undefined ? 0 : world.model.remaining(found));
  },
};

export const WRITES = {
  set: (world) => storing(world, (...rest) => world.view.set(...rest), () => undefined),
  tooLarge: (world) => {
    const [key, form] = some(world);
    if (!world.random.once(50)) return;
    expectError(() => world.view.set(form, new Uint8Array(TOO_LARGE_BYTES)), RangeError);
    world.model.refuse(world.path, key);
  },
  setMany: (world) => {
    const { random, cache, view, model, path } = world;
    const keys = new Map(keysOf(random).map((key) => [nameOf(key), key]));
    // An entry may be evicted and stored again in one call, and its callback is clear only if the values differ.
    const values = new Set(world.isTold ? [...keys.keys()].map((name) => String(model.space(path).get(name)?.value)) : []);
    const entries = [...keys.values()].map((key) => [key, valueOf(random)]).filter(([, value]) => !values.has(String(value)));
    const options = optionsOf(random);
    expect(view.setMany(entries.map(([key, value]) => [formOf(random, cache, key), valueForm(random, value)]), options), view);
    for (const [key, value] of entries) model.set(path, key, value, full(world, options));
  },
  add: (world) => storing(world, (...rest) => world.view.add(...rest), (key) => world.model.find(world.path, key) === undefined),
  replace: (world) => storing(world, (...rest) => world.view.replace(...rest), (key) => world.model.find(world.path, key) !== undefined),
  append: (world) => extending(world, true),
  prepend: (world) => extending(world, false),
  cas: (world) => {
    const { random, view, model, path } = world;
    const [key, form] = some(world);
    const known = world.uniques.get(`${path} ${nameOf(key)}`) ?? { cas: 0n, version: 0 };
    const [found, options, value] = [model.find(path, key), optionsOf(random), valueOf(random)];
    const expected = found === undefined ? 'missing' : found.version === known.version ? 'stored' : 'exists';
    expect(view.cas(form, valueForm(random, value), known.cas, options), expected);
    if (expected === 'stored') model.set(path, key, value, full(world, options));
  },
  incr: (world) => counting(world, false),
  decr: (world) => counting(world, true),
  delete: (world) => {
    const [key, form] = some(world);
    expect(world.view.delete(form), world.model.delete(world.path, key));
  },
  deleteMany: (world) => {
    const { random, cache, view, model, path } = world;
    const keys = keysOf(random);
    expect(view.deleteMany(keys.map((key) => formOf(random, cache, key))), keys.filter((key) => model.delete(path, key)).length);
  },
  touch: (world) => {
    const [key, form] = some(world);
    const ttl = world.random.of([0, 100, 10_000]);
    expect(world.view.touch(form, { ttl }), world.model.touch(world.path, key, ttl));
  },
  getAndTouch: (world) => {
    const [key, form] = some(world);
    const value = copy(world.model.find(world.path, key));
    expect(world.view.getAndTouch(form), value);
    world.model.touch(world.path, key, world.ttl);
  },
};

function extending(world, isBehind) {
  const { random, view, model, path } = world;
  const [key, form] = some(world);
  const value = random.once(3) ? bytesOf('12') : Uint8Array.from({ length: random.below(100) }, () => 128 + random.below(128));
  if (model.find(path, key)?.value.length > EXTENDED_BYTES_MAX) return;
  expect(view[isBehind ? 'append' : 'prepend'](form, valueForm(random, value)), model.extend(path, key, value, isBehind));
}

function counting(world, subtracts) {
  const { random, view, model, path } = world;
  const [key, form] = some(world);
  const by = random.of([0, 1, 7, 100, 5n, 2n ** 64n - 1n]);
  const initial = random.once(3) ? random.of([0, 42, 2n ** 63n]) : undefined;
  const ttl = random.of([0, 1000]);
  const count = () => view[subtracts ? 'decr' : 'incr'](form, random.once(4) && initial === undefined ? by : { by, initial, ttl });
  const expected = model.count(path, key, BigInt(by), subtracts);
  if (expected === null) return expectError(count, TypeError);
  const given = expected ?? (initial === undefined ? undefined : BigInt(initial));
  expect(count(), given !== undefined && given <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(given) : given);
  if (expected === undefined && initial !== undefined) model.set(path, key, bytesOf(String(initial)), { ttl });
}
