// Browsers for the tests: finds and starts them, and records what a page must not do.

import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import puppeteer from 'puppeteer-core';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/** The built page. */
export const PAGE = join(root, 'target/playground/index.html');
export const PAGE_URL = pathToFileURL(PAGE).href;

/** Each browser with the places where systems have it; a variable names another. */
const PLACES = {
  chrome: ['CHROMIUM', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/opt/google/chrome/chrome'],
  firefox: ['FIREFOX', '/usr/bin/firefox-esr', '/usr/bin/firefox', '/Applications/Firefox.app/Contents/MacOS/firefox'],
};
export const BROWSERS = Object.keys(PLACES);

/** The program of a browser, or undefined. */
export function programOf(browser) {
  const [variable, ...places] = PLACES[browser];
  return [process.env[variable], ...places].find((place) => place !== undefined && existsSync(place));
}

/** Starts a browser; `dark` and `still` are what its user prefers. */
export async function launch(browser, { dark = false, still = false } = {}) {
  const executablePath = programOf(browser);
  const chromium = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--no-first-run', '--disable-background-networking'];
  if (still) chromium.push('--force-prefers-reduced-motion');
  const firefox = { 'ui.systemUsesDarkTheme': dark ? 1 : 0, 'ui.prefersReducedMotion': still ? 1 : 0 };
  firefox['layout.css.prefers-color-scheme.content-override'] = dark ? 0 : 1;
  const started = await puppeteer.launch({
    browser,
    executablePath,
    headless: true,
    args: browser === 'chrome' ? chromium : [],
    ...(browser === 'firefox' ? { extraPrefsFirefox: firefox } : {}),
  });
  return { started, browser, dark };
}

/** Opens the page in a window of that size. `wrong` collects requests and errors. */
export async function open({ started, browser, dark }, { width = 1280, height = 900, scale = 1, url = PAGE_URL } = {}) {
  const page = await started.newPage();
  await page.setViewport({ width, height, deviceScaleFactor: scale });
  if (browser === 'chrome') await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }]);
  const wrong = [];
  page.on('request', (request) => {
    if (request.url() !== url && !request.url().startsWith('data:')) wrong.push(`request: ${request.url()}`);
  });
  page.on('console', (message) => {
    if (['error', 'warn'].includes(message.type())) wrong.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  await page.goto(url, { waitUntil: 'load' });
  await page.waitForSelector('#map-legend li');
  return { page, wrong };
}

/** Serves the page; `requests` collects the paths that are asked for. */
export async function serve() {
  const requests = [];
  const server = createServer((request, response) => {
    requests.push(request.url);
    if (request.url !== '/') return response.writeHead(404).end();
    return response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(readFileSync(PAGE));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, requests, close: () => server.close() };
}
