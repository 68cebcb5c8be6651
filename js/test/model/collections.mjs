// The methods for many entries, typed views, snapshots, and loading.

import { expect, expectError } from './expect.mjs';
import { bytesOf, nameOf, same, textOf } from './reference.mjs';
import { READS, WRITES } from './operations.mjs';
import { formOf, keyOf, KEYS, optionsOf, prefixOf, valueForm, valueOf } from './values.mjs';

/** Text of an entry, for comparison in any order. */
const line = (key, value) => `${typeof key === 'string' ? 'text' : 'bytes'} ${nameOf(key)} = ${value === undefined ? '' : nameOf(value)}`;
const sorted = (lines) => [...lines].sort();

/** The key as the cache gives it back. */
const given = (key) => (same(bytesOf(textOf(key)), key) ? textOf(key) : key);

function expected({ model, path }, prefix, withValues) {
  const start = bytesOf(prefix);
  const live = model.live(path).filter(({ key }) => same(key.subarray(0, start.length), start));
  return sorted(live.map(({ key, value }) => line(given(key), withValues ? value : undefined)));
}

export const LISTINGS = {
  keys: (world) => {
    const prefix = prefixOf(world.random);
    expect(sorted([...world.view.keys(prefix)].map((key) => line(key))), expected(world, prefix, false));
  },
  entries: (world) => {
    const prefix = prefixOf(world.random);
    expect(sorted([...world.view.entries(prefix)].map(([key, value]) => line(key, value))), expected(world, prefix, true));
  },
  iterator: (world) => expect(sorted([...world.view].map(([key, value]) => line(key, value))), expected(world, '', true)),
  values: (world) => {
    const live = world.model.live(world.path);
    expect(sorted([...world.view.values()].map(nameOf)), sorted(live.map(({ value }) => nameOf(value))));
  },
  forEach: (world) => {
    const seen = [];
    world.view.forEach((value, key, view) => view === world.view && seen.push(line(key, value)));
    expect(sorted(seen), expected(world, '', true));
  },
  scan: (world) => {
    const { random, view } = world;
    const [prefix, count] = [prefixOf(random), 1 + random.below(20)];
    const seen = [];
    for (let cursor; ; ) {
      const page = view.scan({ prefix, count, cursor });
      seen.push(...page.keys.map((key) => line(key)));
      cursor = page.cursor;
      if (cursor === undefined) break;
    }
    expect(sorted(seen), expected(world, prefix, false));
  },
  size: (world) => {
    const { view, model, path } = world;
    // Entries that have expired count until the engine meets them, of which only `onEvict` tells.
    const most = world.isTold ? model.space(path).size + model.expired.length : KEYS.length;
    const least = model.live(path).length;
    if (view.size < least || view.size > most) throw new Error(`size is ${view.size}, not ${least} to ${most}`);
  },
  /** Writes to random keys while a walk goes on: who stays appears once, who left does not. */
  changingWalk: (world) => {
    const { view, model, path, random } = world;
    const began = new Set(model.live(path).map(({ key }) => nameOf(key)));
    const seen = new Set();
    let steps = 0;
    for (const [key, value] of view.entries()) {
      const name = nameOf(key);
      if (seen.has(name)) throw new Error(`${name} appears twice`);
      seen.add(name);
      world.settle();
      expect(value, model.find(path, key)?.value);
      if (steps++ < 10) {
        random.of(Object.values(WRITES))(world);
        world.settle();
        for (const other of began) if (!model.space(path).has(other)) began.delete(other);
      }
    }
    // A new namespace has a new number, which the walk does not follow.
    for (const name of began) if (model.space(path).has(name) && !seen.has(name)) throw new Error(`${name} did not appear`);
  },
  clearPrefix: (world) => {
    const prefix = prefixOf(world.random);
    if (prefix === '' && !world.random.once(10)) return;
    world.view.clear(prefix);
    world.model.clearPrefix(world.path, bytesOf(prefix));
  },
};

const parsed = (text) => {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
};

/** One bit of each byte the other way round, which makes numbers of none of the values. */
const flipped = (bytes) => bytes.map((byte) => byte ^ 64);

export const VIEWS = {
  jsonGet: (world) => {
    const key = keyOf(world.random);
    const found = world.model.find(world.path, key);
    const json = found === undefined ? { value: undefined } : parsed(textOf(found.value));
    const method = world.random.of(['get', 'peek', 'gets']);
    const read = () => world.view.as('json')[method](formOf(world.random, world.cache, key));
    if (json === undefined) return expectError(read, TypeError);
    expect(method === 'gets' ? read()?.value : read(), json.value);
  },
  jsonSet: (world) => {
    const { random, model, path, view } = world;
    const [key, value, options] = [keyOf(random), random.of([null, { a: [1, 'é'] }, 5, 'text']), optionsOf(random)];
    const json = view.as('json');
    expect(random.once(2) ? json.set(key, value, options) : json.setMany([[key, value]], options), json);
    model.set(path, key, bytesOf(JSON.stringify(value)), { ttl: world.ttl, ...options });
    expectError(() => json.set(key, random.of([undefined, 1n, () => 1])), TypeError);
  },
  codec: (world) => {
    const { random, model, path, view } = world;
    const mirror = view.as({ encode: flipped, decode: flipped });
    const [key, value] = [keyOf(random), valueOf(random)];
    const isNew = model.find(path, key) === undefined;
    expect(mirror.add(key, value), isNew);
    if (isNew) model.set(path, key, flipped(value), { ttl: world.ttl });
    const stored = flipped(model.find(path, key).value);
    world.settle();
    if (model.find(path, key) === undefined) return;
    expect(mirror.get(key), stored);
    expect(mirror.getMany([key]), [stored]);
  },
};

export const SNAPSHOTS = {
  /** A dump is put back over later changes. */
  dumpAndLoad: (world) => {
    const { view, model, path, random } = world;
    // The callback for an entry that is evicted and loaded again in one call has two meanings.
    if (world.isTold || !random.once(5)) return;
    const within = world.spaces.filter((at) => path === '' || at === path || at.startsWith(`${path}/`));
    const live = within.flatMap((at) => model.live(at).map((entry) => [at, { ...entry }]));
    const snapshot = world.atItsTime(() => view.dump());
    for (let i = 0; i < 5; i++) {
      random.of(Object.values(WRITES))(world);
      world.settle();
    }
    for (const [at, { key, value, flags, expires }] of live) model.write(at, key, value, { flags, expires });
    model.flights.forEach((flight) => (flight.isCurrent = false));
    expect(world.atItsTime(() => view.load(snapshot)), { loaded: live.length, skipped: 0 });
  },
};

/** Calls `fetch` once or several times at once, with changes while the loader runs. */
export async function fetching(world) {
  const { random, cache, view, model, path } = world;
  const key = keyOf(random);
  const [ttl, stale, forceRefresh] = [random.of([undefined, 0, 100, 3000]), random.of([undefined, 0, 200, 100_000]), random.once(5)];
  const outcome = random.of(['value', 'value', 'value', 'nothing', 'error']);
  const found = model.find(path, key);
  const isStale = found !== undefined && stale > 0 && model.remaining(found) <= stale;
  const isLoading = found === undefined || isStale || forceRefresh;
  const servesFound = found !== undefined && !forceRefresh;
  const loaded = valueOf(random);
  let finish;
  let calls = 0;
  const loader = () => {
    calls++;
    return new Promise((resolve, reject) => {
      finish = () => (outcome === 'error' ? reject(new Error('down')) : resolve(outcome === 'nothing' ? undefined : valueForm(random, loaded)));
    });
  };
  const status = {};
  const callers = Array.from({ length: 1 + random.below(3) }, (_, i) =>
    view.fetch(formOf(random, cache, key), { ttl, stale, forceRefresh, status: i === 0 ? status : undefined }, loader),
  );
  const results = Promise.allSettled(callers);
  expect(calls, isLoading ? 1 : 0);
  expect(status.fetch, isStale && servesFound ? 'stale' : !isLoading ? 'hit' : found === undefined ? 'miss' : 'refresh');
  const value = found?.value;
  if (isLoading) await landing(world, { key, ttl, stale, outcome, loaded, hadValue: found !== undefined }, finish, status);
  for (const result of await results) {
    if (servesFound) expect(result.value, value);
    else if (outcome === 'error') expect([result.status, result.reason?.message], ['rejected', 'down']);
    else expect(result.value, outcome === 'nothing' ? undefined : loaded);
  }
}

async function landing(world, { key, ttl, stale = 0, outcome, loaded, hadValue }, finish, status) {
  const { random, model, path } = world;
  const flight = { path, key, isCurrent: true };
  model.flights.push(flight);
  for (let i = random.below(4); i > 0; i--) {
    world.choose();
    random.of([...Object.values(WRITES), ...Object.values(READS), LISTINGS.clearPrefix, world.clear])(world);
    world.settle();
  }
  world.choose(path);
  model.flights.splice(model.flights.indexOf(flight), 1);
  finish();
  await world.idle();
  if (outcome === 'error') return;
  expect(status.fetchUpdated, outcome === 'value' && flight.isCurrent);
  if (!flight.isCurrent) return;
  const life = ttl ?? world.ttl;
  if (outcome === 'value') model.set(path, key, loaded, { ttl: life === 0 ? 0 : life + stale });
  else if (hadValue) model.delete(path, key);
}

