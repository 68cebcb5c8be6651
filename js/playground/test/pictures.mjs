// Takes the two pictures of the documentation: `node test/pictures.mjs FOLDER`, with Chromium.

import { join, resolve } from 'node:path';
import { launch, open } from './browsers.mjs';

const folder = resolve(process.argv[2] ?? 'screenshots');
const LINES = ['set greeting 0 60 5\\r\\nhello', 'get greeting', 'mg greeting t s v', 'gte greeting', 'ma visits N0 J1 v'];

const chromium = await launch('chrome');
try {
  await take('playground-wide.png', { width: 1280, height: 1240, scale: 1 });
  await take('playground-phone.png', { width: 360, height: 1020, scale: 2 });
} finally {
  await chromium.started.close();
}

/** Types some commands, runs the load of the page, and begins another command. */
async function take(name, size) {
  const { page } = await open(chromium, size);
  for (const line of LINES) await page.type('#prompt', `${line}\n`);
  await page.click('#run');
  await page.waitForFunction(() => document.querySelector('#run').textContent === 'Run the load', { timeout: 120_000 });
  await page.type('#prompt', 'set k');
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(folder, name) });
  await page.close();
}
