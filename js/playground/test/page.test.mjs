// The page in real browsers. A browser that is not installed is reported as not available.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Load, Session } from '../../../target/playground/parts.mjs';
import { BROWSERS, launch, open, programOf, serve } from './browsers.mjs';
import { naiveHits } from './naive.mjs';

const MIB = 1024 * 1024;
const SHOTS = join(dirname(fileURLToPath(import.meta.url)), '../screenshots');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** A small load with everything in it: values of all sizes, writes, one-hit reads, an end of life. */
const LOAD = { requests: 100_000, keys: 10_000, skew: 0.8, values: 'mixed', writes: 0.05, scans: 0.1, ttl: 5 };

mkdirSync(SHOTS, { recursive: true });
// The browsers beside each other: they wait for the page most of the time.
suite('the page', { concurrency: BROWSERS.length }, () => {
  for (const browser of BROWSERS) {
    const missing = programOf(browser) === undefined && `not available: no ${browser} on this machine`;
    suite(browser, { skip: missing, concurrency: 1 }, () => {
      let started;
      before(async () => {
        started = await launch(browser);
      });
      after(() => started?.started.close());

      test('commands are answered and explained', async () => {
        const { page, wrong } = await open(started);
        assert.deepEqual(await send(page, 'set greeting 0 60 5'), ['set greeting 0 60 5']);
        assert.deepEqual(await send(page, 'hello'), ['hello', 'STORED']);
        assert.deepEqual(await send(page, 'get greeting'), ['get greeting', 'VALUE greeting 0 5\nhello\nEND']);
        assert.deepEqual(await send(page, 'get other'), ['get other', 'END', 'A miss: the key has no value.']);
        assert.deepEqual((await send(page, 'gte greeting')).at(-1), 'memcached has no command “gte”. Did you mean get?');
        assert.deepEqual((await send(page, 'set a 0 0 3\\r\\nhello')).slice(1), [
          'CLIENT_ERROR bad data chunk',
          'The data has 5 bytes, but the command announced 3. Nothing was stored.',
        ]);
        assert.deepEqual(await send(page, 'mg greeting s v'), ['mg greeting s v', 'VA 5 s5\nhello']);
        assert.equal(await text(page, '#difference'), 'Of 3 reads, both found the same number.');
        assert.equal(await text(page, '#ours-ratio'), '66.7 %');
        assert.equal(await text(page, '#ours-items'), '1');
        assert.match((await send(page, 'quit')).at(-1), /^The connection is closed/);
        assert.deepEqual(await send(page, 'version'), ['version', 'VERSION 1.6.45']);
        assert.deepEqual(wrong, []);
        await page.close();
      });

      test('a load moves chart, map and numbers, and its hits are right', async () => {
        const { page, wrong } = await open(started);
        await set(page, { ...LOAD, memory: 1 });
        const empty = await picture(page);
        assert.match(await attribute(page, '#map', 'aria-label'), /^Map of \d+ segments: Main 0 B, Probation 0 B, Dead 0 B/);
        await page.click('#run');
        await ended(page);
        const naive = naiveHits(new Load(LOAD, 1), MIB);
        assert.equal(await text(page, '#lru-hits'), naive.hits.toLocaleString('en'));
        assert.equal(await text(page, '#lru-items'), naive.items.toLocaleString('en'));
        const statistics = (await send(page, 'stats'))[1];
        const hits = Number(/STAT get_hits (\d+)/.exec(statistics)[1]);
        assert.equal(await text(page, '#ours-hits'), hits.toLocaleString('en'));
        // The engine hashes with a secret of its own, so that its hits differ a little from one cache to the next.
        const session = new Session(MIB, 's3fifo');
        session.begin(LOAD);
        while (session.advance(1_000));
        assert.ok(Math.abs(session.series.total.ours - hits) < hits / 100, `${session.series.total.ours} and ${hits}`);
        const ratio = `${((100 * hits) / naive.reads).toFixed(1)} %`;
        assert.equal(await text(page, '#ours-ratio'), ratio);
        assert.ok((await attribute(page, '#chart svg', 'aria-label')).includes(`wasmcached ${ratio}`));
        assert.equal((await attribute(page, '#chart path.ours', 'd')).split('L').length, Math.floor(naive.reads / 2_000));
        assert.notEqual(await picture(page), empty);
        assert.doesNotMatch(await attribute(page, '#map', 'aria-label'), /Main 0 B|Probation 0 B/);
        assert.deepEqual(wrong, []);
        await page.close();
      });

      test('settings of memory and policy reach the cache', async () => {
        const { page, wrong } = await open(started);
        await send(page, 'set a 0 0 1\\r\\nx');
        await send(page, 'lru mode flat');
        assert.equal(await checkedPolicy(page), 'lru');
        assert.match(await text(page, '#policy-note'), /in the order of use/);
        await page.evaluate(() => document.querySelector('input[value=s3fifo]').click());
        assert.match((await send(page, 'stats settings'))[1], /STAT lru_segmented yes/);
        assert.equal(await text(page, '#ours-items'), '1');
        await page.select('select[name=memory]', '16');
        assert.equal(await text(page, '#ours-items'), '0');
        assert.match((await send(page, 'stats'))[1], /STAT limit_maxbytes 16777216/);
        await page.click('#reset');
        assert.match((await send(page, 'stats'))[1], /STAT cmd_set 0/);
        assert.deepEqual(wrong, []);
        await page.close();
      });

      test('a load can be paused, and goes on', async () => {
        const { page } = await open(started);
        await set(page, { ...LOAD, requests: 500_000 });
        await page.click('#run');
        await page.waitForFunction(() => document.querySelector('#progress').textContent !== '');
        await page.click('#run');
        const paused = await text(page, '#lru-hits');
        assert.equal(await text(page, '#run'), 'Go on');
        await new Promise((resolve) => setTimeout(resolve, 400));
        assert.equal(await text(page, '#lru-hits'), paused);
        await page.click('#run');
        await page.waitForFunction((before) => document.querySelector('#lru-hits').textContent !== before, {}, paused);
        await page.close();
      });

      test('the keyboard is enough', async () => {
        const { page, wrong } = await open(started);
        const press = async (...keys) => {
          for (const key of keys) await page.keyboard.press(key);
        };
        await press('Tab');
        assert.equal(await focused(page), 'Skip to the terminal');
        await press('Enter');
        assert.equal(await focused(page), 'prompt');
        await page.keyboard.type('vers');
        await press('Tab');
        assert.equal(await page.$eval('#prompt', (prompt) => prompt.value), 'version');
        await press('Enter');
        assert.match(await text(page, '#log'), /VERSION 1\.6\.45/);
        await page.keyboard.type('ge');
        await press('Tab', 'Tab');
        assert.equal(await page.$eval('#prompt', (prompt) => prompt.value), 'gets');
        await press('ArrowUp');
        assert.equal(await page.$eval('#prompt', (prompt) => prompt.value), 'version');
        await press('ArrowDown');
        assert.equal(await page.$eval('#prompt', (prompt) => prompt.value), 'gets');
        await press('Escape', 'Tab');
        assert.equal(await focused(page), 'Send');
        await press('Tab');
        await press('Enter');
        assert.equal(await page.$eval('#prompt', (prompt) => prompt.value), 'set greeting 0 60 5\\r\\nhello');
        await press('Enter');
        assert.match(await text(page, '#log'), /STORED/);
        // Backwards over the log to the map.
        await page.keyboard.down('Shift');
        await press('Tab', 'Tab');
        await page.keyboard.up('Shift');
        assert.equal(await focused(page), 'map');
        await press('ArrowRight', 'ArrowRight', 'ArrowDown');
        assert.match(await text(page, '#map-cell'), /^No\. \d+, free$/);
        await set(page, LOAD);
        while ((await focused(page)) !== 'run') {
          await page.keyboard.down('Shift');
          await press('Tab');
          await page.keyboard.up('Shift');
        }
        await press('Enter');
        await ended(page);
        assert.notEqual(await text(page, '#ours-hits'), '0');
        assert.deepEqual(wrong, []);
        await page.close();
      });

      test('an example can be copied, pasted and sent', async () => {
        const { page, wrong } = await open(started);
        await page.bringToFront();
        await page.click('#examples .copy');
        await page.waitForFunction(() => document.querySelector('#examples .copy').textContent === 'Copied');
        await page.focus('#prompt');
        await page.keyboard.down('Control');
        await page.keyboard.press('v');
        await page.keyboard.up('Control');
        assert.equal(await page.$eval('#prompt', (prompt) => prompt.value), 'set greeting 0 60 5\\r\\nhello');
        await page.keyboard.press('Enter');
        assert.match(await text(page, '#log'), /STORED/);
        assert.deepEqual(wrong, []);
        await page.close();
      });

      test('fits on a phone of 360 pixels', async () => {
        const { page, wrong } = await open(started, { width: 360, height: 740, scale: 2 });
        assert.equal(await page.$eval('#settings', (settings) => settings.open), false);
        await page.click('summary');
        await set(page, LOAD);
        await send(page, `get ${'long-key-'.repeat(20)}`);
        await page.click('#run');
        await ended(page);
        const { width, wide } = await page.evaluate(overflow);
        assert.deepEqual([width, wide], [await page.evaluate(() => document.documentElement.clientWidth), []]);
        await page.evaluate(() => document.querySelector('summary').click());
        await page.screenshot({ path: join(SHOTS, `${browser}-phone.png`), fullPage: true });
        assert.deepEqual(wrong, []);
        await page.close();
      });

      test('asks no network for anything', async () => {
        const { url, requests, close } = await serve();
        const { page, wrong } = await open(started, { url });
        await set(page, LOAD);
        await page.click('#run');
        await ended(page);
        assert.deepEqual([requests, wrong], [['/'], []]);
        // The policy of the page would refuse it, too.
        const outcome = await page.evaluate(() => fetch('/other').then(() => 'answered', () => 'refused'));
        assert.deepEqual([outcome, requests], ['refused', ['/']]);
        await page.close();
        close();
      });

      // Each of these needs a browser of its own, whose user prefers something else.
      for (const dark of [false, true]) {
        test(`${dark ? 'dark' : 'light'}: colours follow, and axe has no complaint`, async () => {
          const started = await launch(browser, { dark });
          try {
            const { page } = await open(started);
            const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
            assert.equal(background, dark ? 'rgb(20, 22, 23)' : 'rgb(247, 247, 245)');
            await set(page, { ...LOAD, ttl: 0 });
            await send(page, 'gte greeting');
            await page.click('#run');
            await ended(page);
            await page.screenshot({ path: join(SHOTS, `${browser}-${dark ? 'dark' : 'light'}.png`), fullPage: true });
            await page.evaluate(AXE);
            const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
            const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
            assert.deepEqual(found, []);
            assert.ok(passes.length > 20, `${passes.length} rules passed`);
          } finally {
            await started.started.close();
          }
        });
      }

      test('draws at most once a second for people who prefer less motion', async () => {
        const started = await launch(browser, { still: true });
        try {
          const { page } = await open(started);
          await set(page, LOAD);
          const { pictures, seconds } = await page.evaluate(async () => {
            let pictures = 0;
            const begun = performance.now();
            new MutationObserver(() => pictures++).observe(document.querySelector('#chart svg'), { childList: true });
            document.querySelector('#run').click();
            while (document.querySelector('#run').textContent !== 'Run the load') await new Promise((resolve) => setTimeout(resolve, 20));
            return { pictures, seconds: (performance.now() - begun) / 1000 };
          });
          // Besides one a second there are the first, and the last when the load ends.
          assert.ok(pictures > 0 && pictures <= seconds + 2, `${pictures} pictures in ${seconds} s`);
        } finally {
          await started.started.close();
        }
      });
    });
  }
});

/** Types a line and returns what the log has more. */
async function send(page, line) {
  const before = await page.$$eval('#log > *', (entries) => entries.length);
  await page.focus('#prompt');
  await page.$eval('#prompt', (prompt, value) => {
    prompt.value = value;
  }, line);
  await page.keyboard.press('Enter');
  return page.$$eval('#log > *', (entries, from) => entries.slice(from).map((entry) => entry.textContent), before);
}

/** Chooses settings. */
async function set(page, { writes, scans, ...rest }) {
  const values = { ...rest, writes: writes * 100, scans: scans * 100 };
  await page.evaluate((wanted) => {
    for (const [name, value] of Object.entries(wanted)) {
      const control = document.querySelector(`[name=${name}]`);
      if (control.value === String(value)) continue;
      control.value = String(value);
      control.dispatchEvent(new Event('input', { bubbles: true }));
      control.dispatchEvent(new Event('change', { bubbles: true }));
    }
  }, values);
}

function ended(page) {
  return page.waitForFunction(() => document.querySelector('#run').textContent === 'Run the load', { timeout: 120_000 });
}

function text(page, selector) {
  return page.$eval(selector, (node) => node.textContent);
}

function attribute(page, selector, name) {
  return page.$eval(selector, (node, wanted) => node.getAttribute(wanted), name);
}

function picture(page) {
  return page.$eval('#map', (canvas) => canvas.toDataURL());
}

function checkedPolicy(page) {
  return page.$eval('input[name=policy]:checked', (input) => input.value);
}

function focused(page) {
  return page.evaluate(() => document.activeElement.id || document.activeElement.textContent);
}

/** The width of the content, and the elements that reach beyond the window. */
function overflow() {
  const { clientWidth } = document.documentElement;
  const beyond = [...document.querySelectorAll('body *')].filter((node) => node.getBoundingClientRect().right > clientWidth + 0.5);
  return { width: document.documentElement.scrollWidth, wide: beyond.map((node) => node.outerHTML.slice(0, 80)) };
}
