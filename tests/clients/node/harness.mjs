// Shared by the suites: the addresses of the servers, and the report that the client tests read. The environment
// variables are those of `../python/common.py`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

export const servers = [process.env.SERVER, process.env.FURTHER].filter(Boolean).join(",").split(",");
export const user = process.env.SASL_USER;
export const password = process.env.SASL_PASSWORD;
/** Certificates that a TLS socket trusts, or undefined without TLS. */
export const tls = process.env.TLS_CA && { ca: readFileSync(process.env.TLS_CA) };

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A promise for a function whose last argument is a callback. */
export const called = (object, method, ...rest) =>
  new Promise((resolve, reject) =>
    object[method](...rest, (error, result) => (error ? reject(error) : resolve(result))),
  );

/** Runs `tests` (names and functions) one after another, with `before` first each time, and ends the process. */
export async function main(name, tests, before) {
  const manifest = new URL(`node_modules/${name}/package.json`, import.meta.url);
  console.log("version", JSON.parse(readFileSync(manifest, "utf8")).version);
  assert.equal(servers.length, 3);
  let failed = 0;
  for (const [title, test] of Object.entries(tests)) {
    try {
      await before();
      await test();
      console.log("passed", title);
    } catch (error) {
      failed += 1;
      console.error("failed", title, error);
    }
  }
  process.exit(failed && 1);
}

/** Each size up to the largest that fits beside a short key. */
export const sizes = [1, 1023, 65_536, 500_000, 1_048_376];

/** Bytes that differ from one another. */
export const bytes = (size) => Buffer.from(Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8)) & 255));

export { assert };
