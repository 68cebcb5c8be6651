// Pages in Chromium and Firefox: serves files and returns what the page writes.

import { createServer } from 'node:http';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Unavailable, tool } from './tools.mjs';

const PROGRAMS = {
  chrome: ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
  firefox: ['/usr/bin/firefox-esr', '/usr/bin/firefox'],
};
const CHROMIUM_FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'];
const PAGE_MS = 60_000;

/** Opens `url` and returns the text of its body once it is neither empty nor `…`; errors of the page count as text. */
export async function textOf(browser, url) {
  const found = PROGRAMS[browser].find(existsSync);
  if (found === undefined) throw new Unavailable(`${browser} is not installed; install Debian's ${browser === 'chrome' ? 'chromium' : 'firefox-esr'}`);
  const home = await tool('browsers');
  const puppeteer = await import(pathToFileURL(createRequire(join(home, 'package.json')).resolve('puppeteer-core')));
  const args = browser === 'chrome' ? CHROMIUM_FLAGS : [];
  const opened = await puppeteer.launch({ browser, executablePath: found, headless: true, args, timeout: PAGE_MS });
  try {
    const page = await opened.newPage();
    const errors = [];
    let isBroken = false;
    page.on('pageerror', (error) => {
      isBroken = true;
      errors.push(error.message);
    });
    // A missing icon is such a line, too: it explains a failure, but is none.
    page.on('console', (line) => line.type() === 'error' && errors.push(line.text()));
    await page.goto(url, { timeout: PAGE_MS });
    for (const end = Date.now() + PAGE_MS; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 100))) {
      const text = await page.evaluate('document.body.innerText.trim()');
      if (text !== '' && text !== '…') return text;
      if (isBroken) break;
    }
    throw new Error(`the page wrote nothing${errors.map((error) => `\n${error}`).join('')}`);
  } finally {
    await opened.close();
  }
}

/** Serves these files (text or bytes by path) with a content security policy, if given, and calls `work` with the address. */
export async function served(files, work, policy) {
  const types = { html: 'text/html', js: 'text/javascript', mjs: 'text/javascript', wasm: 'application/wasm' };
  const server = createServer((request, response) => {
    const path = request.url.slice(1).split('?')[0] || 'index.html';
    const file = files(path);
    const headers = { 'content-type': types[path.split('.').pop()] ?? 'text/plain' };
    if (policy !== undefined) headers['content-security-policy'] = policy;
    response.writeHead(file === undefined ? 404 : 200, headers).end(file);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await work(`http://127.0.0.1:${server.address().port}/`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** A page that shows what a script of its own writes. */
export const PAGE = '<!doctype html><meta charset="utf-8"><title>probe</title><body>…</body><script type="module" src="/main.js"></script>';

/** The end of such a script: needs `probe`, `Cache` and `Protocol`. */
export const SHOW = "document.body.textContent = (() => { try { return probe(Cache, Protocol); } catch (error) { return String(error); } })();\n";
