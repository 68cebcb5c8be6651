// Steps on the faces of Workers: performed here on ours and in workerd on the real ones. A step is plain data.

/** Performs a step on a KV namespace; returns its outcome as plain data. */
export async function performKv(kv, [method, ...parameters]) {
  return outcome(async () => plain(await kv[method](...parameters.map(revive))));
}

/** Performs a step on a cache: the method, a request, and a response or options. A library may have classes of its own. */
export async function performCache(cache, [method, request, second], { Request, Response } = globalThis) {
  return outcome(async () => {
    const [url, init] = typeof request === 'string' ? [request] : request;
    const asked = init === undefined ? url : new Request(url, init);
    if (method === 'put') return plain(await cache.put(asked, new Response(...second.map(revive))));
    const result = await cache[method](asked, second);
    if (!(result instanceof Response)) return plain(result);
    const body = new TextDecoder().decode(await result.arrayBuffer());
    const { status, headers } = result;
    // Cloudflare adds what it knows about the hit.
    const own = ['age', 'cf-cache-status', 'date', 'content-length'];
    return { status, body, headers: [...headers].filter(([name]) => !own.includes(name)) };
  });
}

async function outcome(action) {
  try {
    return { value: await action() };
  } catch (error) {
    return { error: error.name, message: error.message };
  }
}

/** Data that JSON cannot carry is an object with one name that begins with `$`. */
function revive(value) {
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== 'object' || value === null) return value;
  if ('$bytes' in value) return new Uint8Array(value.$bytes);
  if ('$buffer' in value) return new Uint8Array(value.$buffer).buffer;
  if ('$stream' in value) return new Response(value.$stream).body;
  if ('$repeat' in value) return value.$repeat[0].repeat(value.$repeat[1]);
  if ('$nan' in value) return NaN;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, revive(item)]));
}

async function plain(value) {
  if (value instanceof ReadableStream) return { $stream: [...new Uint8Array(await new Response(value).arrayBuffer())] };
  if (value instanceof ArrayBuffer) return { $buffer: [...new Uint8Array(value)] };
  if (value instanceof Map)
    return { $map: await Promise.all([...value].map(async ([key, item]) => [key, await plain(item)])) };
  if (value === undefined) return { $undefined: true };
  if (typeof value === 'object' && value !== null && 'metadata' in value && 'value' in value) {
    return { ...value, value: await plain(value.value) };
  }
  return value;
}
