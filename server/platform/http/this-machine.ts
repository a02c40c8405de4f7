import type { FastifyRequest } from 'fastify';

const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/;

/** What proxies add; some send but one of them. */
const BY_PROXY = /^(?:forwarded|via|x-real-ip|x-forwarded-.+)$/;

/** Whether a request comes from this machine, and by no proxy on it. */
export const isFromThisMachine = ({ ip, headers }: FastifyRequest): boolean =>
  LOOPBACK.test(ip) && !Object.keys(headers).some((name) => BY_PROXY.test(name));
