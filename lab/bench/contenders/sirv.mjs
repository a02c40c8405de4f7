/** sirv as for production: names and forms of files looked up once, each answer streamed from disk. */
import { createServer } from 'node:http';
import sirv from 'sirv';

const serve = sirv(process.env.FOLDER, { gzip: true, etag: true, maxAge: 31_536_000, immutable: true });
createServer((request, response) => serve(request, response)).listen(Number(process.env.PORT), '127.0.0.1');
