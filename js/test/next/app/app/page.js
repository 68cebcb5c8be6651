import { cacheLife, cacheTag } from 'next/cache';

async function Made() {
  'use cache';
  cacheTag('page');
  cacheLife('days');
  return <p id="made">{`made ${Math.random()} é😀`}</p>;
}

export default function Page() {
  return <Made />;
}
