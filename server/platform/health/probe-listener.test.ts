import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { HealthChecks } from './health-checks.ts';
import { Lifecycle } from './lifecycle.ts';
import { probeListener } from './probe-listener.ts';

it('answers 503 where a probe fails, without the reason', async () => {
  const checks = new HealthChecks();
  checks.read = () => Promise.reject(new Error('a secret'));
  const lifecycle = new Lifecycle(['port']);
  lifecycle.to('ready');
  const listener = probeListener({ checks, lifecycle, version: '1', environment: 'test' });
  const server = createServer((request, response) => void listener(request, response)).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}/health`);
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
  expect(await answer.text()).not.toContain('secret');
  expect((await fetch(`http://127.0.0.1:${port}/live`)).status).toBe(200);
});
