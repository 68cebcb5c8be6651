// Sizes that users pay for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS, excess, measure } from '../scripts/sizes.mjs';

test('no size has grown', async () => assert.deepEqual(excess(await measure()), []));

test('growth beyond a fiftieth is found, and so is a size beyond its limit', () => {
  const recorded = { unpacked: 1000, tarball: LIMITS.tarball };
  assert.deepEqual(excess({ unpacked: 1020, tarball: LIMITS.tarball }, recorded), []);
  assert.match(excess({ unpacked: 1021, tarball: 1 }, recorded).join(), /unpacked grew from 1000 to 1021/);
  assert.match(excess({ tarball: LIMITS.tarball + 1 }, recorded).join(), /450000 are the limit/);
  assert.match(excess({ other: 1 }, recorded).join(), /not in sizes.json/);
});
