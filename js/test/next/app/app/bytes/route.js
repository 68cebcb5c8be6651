import { cacheLife, cacheTag } from 'next/cache';

async function made() {
  'use cache';
  cacheTag('bytes');
  cacheLife('days');
  return Math.random();
}

export async function GET() {
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  return new Response(bytes, { headers: { 'x-made': String(await made()), 'content-type': 'application/octet-stream' } });
}
