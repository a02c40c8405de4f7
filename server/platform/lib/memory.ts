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
