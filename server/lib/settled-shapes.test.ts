import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

/**
 * @param settle What is done before the first request.
 * @returns Of a server's last of twelve requests, with collections between them, whether it and its response are hash
 * tables to V8.
 */
async function lastRequest(settle: string): Promise<{ request: boolean; response: boolean }> {
  const script = `
    import { createServer, get } from 'node:http';
    import { setTimeout as sleep } from 'node:timers/promises';
    import { QuickResponse } from './quick-response.ts';
    import { settleShapes } from './settled-shapes.ts';
    ${settle}
    let last;
    const server = createServer({ ServerResponse: QuickResponse }, (request, response) => {
      last = { request: !%HasFastProperties(request), response: !%HasFastProperties(response) };
      response.writeHead(200, { 'content-length': 1 }).end('a');
    });
    server.listen(0, '127.0.0.1', async () => {
      for (let i = 0; i < 12; i++) {
        await new Promise((done) => get({ ...server.address(), host: '127.0.0.1', agent: false }, (answer) =>
          answer.resume().on('close', done)));
        for (let j = 0; j < 6; j++) {
          await sleep(2);
          gc();
        }
      }
      console.log(JSON.stringify(last));
      server.close();
    });`;
  const flags = ['--allow-natives-syntax', '--expose-gc', '--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd: import.meta.dirname });
  return JSON.parse(stdout);
}

it('keeps requests and responses from becoming hash tables', async () => {
  expect(await lastRequest('settleShapes(QuickResponse);')).toEqual({ request: false, response: false });
});

it('is still needed by this version of Node', async () => {
  // If this fails, settled-shapes.ts and its call in port.ts may go.
  expect(await lastRequest('')).toEqual({ request: true, response: true });
});
