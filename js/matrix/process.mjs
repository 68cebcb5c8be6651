// Child processes with a bound on their time. Each is the head of a process group, which is ended as a whole.

import { spawn } from 'node:child_process';

const groups = new Set();

/** Starts a program; `output` grows while it runs. */
export function start(program, flags, { cwd, env = {} }) {
  const child = spawn(program, flags, {
    cwd,
    env: { ...process.env, CI: '1', NO_COLOR: '1', FORCE_COLOR: undefined, NODE_OPTIONS: undefined, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const running = { child, output: '', ended: undefined };
  running.ended = new Promise((resolve) => {
    child.on('error', (error) => resolve({ code: -1, signal: error.message }));
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (running.output += text));
  }
  groups.add(running);
  running.ended.then(() => groups.delete(running));
  return running;
}

/** Ends a program and all that it started. */
export async function stop(running) {
  const signal = (name) => {
    try {
      process.kill(-running.child.pid, name);
    } catch {
      // The group has ended.
    }
  };
  signal('SIGTERM');
  const timer = setTimeout(() => signal('SIGKILL'), 3_000);
  await running.ended;
  clearTimeout(timer);
  signal('SIGKILL');
}

/** Ends every program that still runs. */
export const stopAll = () => Promise.all([...groups].map(stop));

/** Runs a program to its end, or for `ms`. */
export async function finish(program, flags, { ms = 60_000, ...options }) {
  const running = start(program, flags, options);
  const timer = setTimeout(() => void stop(running), ms);
  const { code, signal } = await running.ended;
  clearTimeout(timer);
  return { code, signal, output: running.output };
}

/** The output of a program that succeeds. */
export async function output(program, flags, options) {
  const { code, signal, output } = await finish(program, flags, options);
  if (code !== 0) throw new Error(`${program.split('/').pop()} ${flags.join(' ')} ended with ${signal ?? code}:\n${output.slice(-3000)}`);
  return output;
}

/** Waits until the output of a program that goes on matches. */
export async function until(running, pattern, ms = 60_000) {
  const end = Date.now() + ms;
  for (;;) {
    const found = pattern.exec(running.output);
    if (found !== null) return found;
    const ended = await Promise.race([running.ended, new Promise((resolve) => setTimeout(resolve, 100))]);
    if (ended !== undefined) throw new Error(`the program ended with ${ended.signal ?? ended.code}:\n${running.output.slice(-3000)}`);
    if (Date.now() > end) throw new Error(`no ${pattern} after ${ms} ms:\n${running.output.slice(-3000)}`);
  }
}
