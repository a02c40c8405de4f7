let last: NodeJS.MemoryUsage = { rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 };

/**
 * `process.memoryUsage()`, which opens a file on Linux and throws where the process may open none: then it is what was
 * read last.
 */
export function memoryUsage(): NodeJS.MemoryUsage {
  try {
    last = process.memoryUsage();
  } catch {
    // Who asks for figures has no use for an error, and in a timer it would end the process.
  }
  return last;
}

/** The container's memory limit in bytes, or null where there is none (libuv reports a huge number, or the machine's own size). */
export function memoryLimit(): number | null {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < 2 ** 50 ? limit : null;
}
