/** Node's own server, and nothing else. */
import { createServer } from 'node:http';
import { STATUS } from './status.ts';

createServer((_request, response) => {
  const body = JSON.stringify(STATUS);
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
  };
  response.writeHead(200, headers).end(body);
}).listen(Number(process.env.PORT), '127.0.0.1');
