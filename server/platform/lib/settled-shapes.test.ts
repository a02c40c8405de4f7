import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

/**
 * @param settle What is done before the first request.
 * @returns Of a server's last of twelve requests, with collections between them, what is a hash table to V8.
 */
function lastRequest(settle: string): Record<'socket' | 'request' | 'response', boolean> {
  const script = `
    import { createServer, get } from 'node:http';
    import { setTimeout as sleep } from 'node:timers/promises';
    import { settleShapes } from './settled-shapes.ts';
    ${settle}
    let last;
    const server = createServer((request, response) => {
      last = {
        socket: !%HasFastProperties(request.socket),
        request: !%HasFastProperties(request),
        response: !%HasFastProperties(response),
      };
      response.writeHead(200, { 'content-length': 1 }).end('a');
    });
    server.listen(0, '127.0.0.1', async () => {
      for (let i = 0; i < 12; i++) {
        await new Promise((done) => get({ ...server.address(), host: '127.0.0.1', agent: false }, (answer) =>
          answer.resume().on('end', done)));
        for (let j = 0; j < 6; j++) {
          await sleep(5);
          gc();
        }
      }
      console.log(JSON.stringify(last));
      server.close();
    });`;
  const flags = ['--allow-natives-syntax', '--expose-gc', '--input-type=module', '--eval', script];
  // A pipe for its errors would be a socket that is there for good, and its layout with it.
  const { stdout } = spawnSync(process.execPath, flags, {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(stdout.toString());
}

it('keeps connections, requests and responses from becoming hash tables', () => {
  expect(lastRequest('settleShapes();')).toEqual({
    socket: false,
    request: false,
    response: false,
  });
});

it('is still needed by this version of Node', () => {
  // If this fails, settled-shapes.ts and its call in port.ts may go.
  expect(lastRequest('')).toEqual({ socket: true, request: true, response: true });
});
