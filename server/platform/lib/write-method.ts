/** Methods that change nothing (RFC 9110, 9.2.1). */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** @returns Whether a request with this method may change something. A method that is not known may. */
export const isWriteMethod = (method: string): boolean => !SAFE.has(method);
