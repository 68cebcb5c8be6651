import { Suspense } from 'react';
import { cacheLife, cacheTag } from 'next/cache';
import { connection } from 'next/server';

async function load(name) {
  'use cache';
  cacheTag('data');
  cacheLife('days');
  const answer = await fetch(`${process.env.ORIGIN}/${name}`, { cache: 'no-store' });
  return answer.text();
}

async function Data() {
  await connection();
  const fetched = await fetch(`${process.env.ORIGIN}/fetch`, { next: { tags: ['fetch'], revalidate: 3600 } });
  return <p id="data">{`${await fetched.text()}; ${await load('use-cache')}`}</p>;
}

export default function Page() {
  return (
    <Suspense>
      <Data />
    </Suspense>
  );
}
