import { once } from 'node:events';
import { statfs } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePort } from '../../../tests/support/server.ts';
import { memoryLimit } from '../lib/memory.ts';
import { CheckFailure, HealthChecks } from './health-checks.ts';
import { Lifecycle } from './lifecycle.ts';
import { health, ready } from './probe-documents.ts';
import {
  diskCheck,
  eventLoopCheck,
  httpCheck,
  memoryCheck,
  openFilesCheck,
  systemCheck,
} from './standard-checks.ts';

vi.mock('node:fs/promises', async (original) => ({ ...(await original<object>()), statfs: vi.fn() }));

const run = (check: { run(signal: AbortSignal): unknown }) => check.run(new AbortController().signal);

describe('memory', () => {
  const never = () => Number.POSITIVE_INFINITY;
  it('is degraded above nine tenths of the limit, and fine below or without one', () => {
    const used = process.memoryUsage.rss();
    expect(run(memoryCheck(never, used * 2))).toBeUndefined();
    expect(run(memoryCheck(never, null))).toBeUndefined();
    expect(run(memoryCheck(never, Math.round(used / 0.95)))).toEqual({
      degraded: expect.stringMatching(/^9\d % of the memory limit is in use$/),
    });
  });

  it('is degraded for a while after a request body was refused', () => {
    expect(run(memoryCheck(() => 9_000, null))).toEqual({
      degraded: expect.stringContaining('request bodies'),
    });
    expect(run(memoryCheck(() => 11_000, null))).toBeUndefined();
  });

  it.each([
    [0, null],
    [2 ** 63, null],
    [256 * 2 ** 20, 256 * 2 ** 20],
  ])('takes a limit of %d bytes for %d', (reported, limit) => {
    const spy = vi.spyOn(process, 'constrainedMemory').mockReturnValue(reported);
    expect(memoryLimit()).toBe(limit);
    spy.mockRestore();
  });
});

describe('the event loop', () => {
  it('is degraded when it was always busy, and recovers', async () => {
    const check = eventLoopCheck(0.9);
    // Long beside the pause below, which a busy machine makes longer.
    const until = performance.now() + 2_000;
    while (performance.now() < until);
    // Utilisation counts a turn when it has ended.
    await sleep(1);
    expect(run(check)).toEqual({
      degraded: expect.stringMatching(/^the event loop was busy \d+ % of the time$/),
    });
    await sleep(50);
    expect(run(check)).toBeUndefined();
  });

  it('is fine after a single long turn', async () => {
    const check = eventLoopCheck(0.9);
    const until = performance.now() + 150;
    while (performance.now() < until);
    await sleep(1);
    expect(run(check)).toBeUndefined();
  });
});

describe('the disk', () => {
  const withFree = (bavail: number, blocks = 1_000) =>
    vi.mocked(statfs).mockResolvedValue({ bavail, blocks, bsize: 2 ** 30 } as never);

  it('is fine from 20 % free, and where the file system counts no blocks', async () => {
    withFree(200);
    expect(await run(diskCheck('/'))).toBeUndefined();
    withFree(0, 0);
    expect(await run(diskCheck('/'))).toBeUndefined();
  });

  it('is degraded under 20 %', async () => {
    withFree(199);
    expect(await run(diskCheck('/'))).toEqual({ degraded: '20 % of the disk is free (199.0 GiB)' });
    withFree(100);
    expect(await run(diskCheck('/'))).toMatchObject({ degraded: expect.stringMatching(/^10 %/) });
  });

  it('fails under 10 %, and leaves the process ready', async () => {
    withFree(99);
    await expect(run(diskCheck('/'))).rejects.toThrow(CheckFailure);
    const checks = new HealthChecks();
    checks.register(diskCheck('/'));
    expect(await checks.read()).toMatchObject({
      disk: { status: 'failing', required: false, error: '10 % of the disk is free (99.0 GiB)' },
    });
  });

  it('that is full makes /health 503, and leaves /ready at 200: requests need no disk', async () => {
    vi.mocked(statfs).mockResolvedValue({ bavail: 255, blocks: 100_000, bsize: 4_096 } as never);
    const lifecycle = new Lifecycle([]);
    lifecycle.to('ready');
    const checks = new HealthChecks();
    checks.register(diskCheck('/'));
    const sources = { lifecycle, checks, version: '1', environment: 'test' };
    expect(await health(sources)).toMatchObject({
      status: 503,
      body: {
        status: 'unhealthy',
        error: 'disk: the disk is full',
        checks: { disk: { status: 'failing', required: false, unhealthy: true } },
      },
    });
    expect((await ready(sources)).status).toBe(200);
  });

  it('reads the real one', async () => {
    const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises');
    vi.mocked(statfs).mockImplementation(real.statfs as never);
    // Whatever it finds, it is about this disk.
    const found = await Promise.resolve(run(diskCheck('/'))).catch((error) => ({ degraded: error.message }));
    if (found !== undefined)
      expect(found).toEqual({ degraded: expect.stringContaining('of the disk is free') });
  });
});

describe('the system', () => {
  const MACHINE = {
    cpus: 2,
    load1m: 0.5,
    memoryTotalBytes: 2_000,
    memoryAvailableBytes: 1_000,
    uptimeSeconds: 60,
  };

  it('shows CPU, memory and uptime', () => {
    expect(run(systemCheck(() => MACHINE))).toEqual({ details: MACHINE });
    // The real one, which may be short of memory.
    expect(run(systemCheck())).toMatchObject({
      details: { cpus: expect.any(Number), memoryTotalBytes: expect.any(Number) },
    });
  });

  it('is degraded when little memory of the machine is left, whichever process uses it', () => {
    expect(run(systemCheck(() => ({ ...MACHINE, memoryAvailableBytes: 90 })))).toMatchObject({
      degraded: '5 % of the memory of the machine is available',
      details: { memoryAvailableBytes: 90 },
    });
  });
});

describe('another service', () => {
  let server: Server;
  let url: string;
  let answer = 200;
  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === '/hang') return;
      response.writeHead(answer, { location: 'http://192.0.2.1/' }).end('x'.repeat(10_000));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it.each([200, 302, 404])('passes when it answers with %d', async (status) => {
    answer = status;
    expect(await run(httpCheck({ name: 'mail', url }))).toBeUndefined();
  });

  it.each([500, 503])('fails when it answers with %d', async (status) => {
    answer = status;
    await expect(run(httpCheck({ name: 'mail', url }))).rejects.toThrow(`it answers with ${status}`);
  });

  it('fails when nothing listens, without its address', async () => {
    const closed = `http://user:hunter2@127.0.0.1:${await freePort()}/path`;
    for (const where of [closed, 'http://no-such-host.invalid/']) {
      const checks = new HealthChecks();
      checks.register(httpCheck({ name: 'mail', url: where, required: true }));
      expect(await checks.read()).toMatchObject({
        mail: { status: 'failing', required: true, error: 'it cannot be reached' },
      });
    }
  });

  it('fails in its own time when there is no answer', async () => {
    const checks = new HealthChecks();
    checks.register(httpCheck({ name: 'mail', url: `${url}/hang`, timeoutMs: 100 }));
    expect(await checks.read()).toMatchObject({
      mail: { status: 'failing', error: 'no answer within 100 ms' },
    });
  });
});

describe.skipIf(process.platform !== 'linux')('open files', () => {
  it('pass far below the limit and where it is unknown, and are degraded near it', async () => {
    expect(await run(openFilesCheck(1_000_000))).toBeUndefined();
    expect(await run(openFilesCheck(null))).toBeUndefined();
    expect(await run(openFilesCheck(5))).toEqual({
      degraded: expect.stringMatching(/^\d+ of 5 files are open$/),
    });
  });
});
