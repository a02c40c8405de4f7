/** @fastify/static as its README shows it, with files that are compressed beforehand. */
import files from '@fastify/static';
import Fastify from 'fastify';

const app = Fastify();
await app.register(files, { root: process.env.FOLDER, preCompressed: true, maxAge: '365d', immutable: true });
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
