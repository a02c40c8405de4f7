import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, ROOT } from '../tests/support/server.ts';

/** The built server on the first core alone, where the system can tie a process to one. */
export async function startPinned(
  env: Record<string, string>,
): Promise<{ port: number; pid: number; end(): Promise<void> }> {
  const port = await freePort();
  const command = [process.execPath, join(ROOT, 'dist/server/main.js')];
  if (process.platform === 'linux') command.unshift('taskset', '-c', '0');
  const child = spawn(command[0] as string, command.slice(1), {
    env: { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: String(port), LOG_LEVEL: 'fatal', ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ready = () =>
    fetch(`http://127.0.0.1:${port}/ready`).then(
      (answer) => answer.status === 200,
      () => false,
    );
  while (!(await ready())) {
    if (child.exitCode !== null) throw new Error('the server ended before it was ready');
    await sleep(50);
  }
  return {
    port,
    pid: child.pid as number,
    async end() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}
