/**
 * The image's HEALTHCHECK, a process of its own: exit code 0 if the server answers 200 to `/live`, or to the path given as
 * argument. With `metrics` as the second argument it asks METRICS_PORT, which a worker opens.
 *
 * It runs every few seconds within the server's limits of memory and CPU, so it writes one line of text to a socket: `fetch`
 * takes twice the time and 15 MB more.
 */
import { connect } from 'node:net';
import { readListenAddress } from '../config/config.ts';

/** Below the time-out of the HEALTHCHECK itself, so that the reason is printed. In milliseconds. */
const LIMIT_MS = 2_500;

const [path = '/live', which] = process.argv.slice(2);
const address = readListenAddress();
const { hosts, port } = which === 'metrics' ? (address.metrics ?? address) : address;
const [host = '127.0.0.1'] = hosts;
// A client cannot connect to the address that stands for all addresses.
const target = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;

process.exitCode = 1;
const socket = connect({ host: target, port });
socket.setTimeout(LIMIT_MS, () => socket.destroy(new Error(`no answer within ${LIMIT_MS} ms`)));
socket.on('error', (error) => console.error(`${path} on ${target}:${port}: ${error.message}`));
socket.once('data', (answer) => {
  const [status = ''] = answer.toString('latin1').split('\r\n');
  if (/^HTTP\/1\.1 200\b/.test(status)) process.exitCode = 0;
  else console.error(`${path} on ${target}:${port}: ${status}`);
  socket.destroy();
});
socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
