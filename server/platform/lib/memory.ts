/** What memory this process uses, and what it may use. */
import { getHeapStatistics } from 'node:v8';
import { nodeOptions } from '../config/node-options.ts';

let last: NodeJS.MemoryUsage = { rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 };

/**
 * `process.memoryUsage()`, which opens a file on Linux and throws when the process may open none. Then it returns the last
 * reading: an error in a timer would end the process.
 */
export function memoryUsage(): NodeJS.MemoryUsage {
  try {
    last = process.memoryUsage();
  } catch {
    // The last reading stands.
  }
  return last;
}

/** @returns The container's memory limit in bytes; null where there is none (libuv then reports a huge number). */
export function memoryLimit(): number | null {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < 2 ** 50 ? limit : null;
}

/**
 * V8's own `heap_size_limit` adds space for young objects (192 MiB, measured) that never fills: with
 * `--max-old-space-size=256` it says 448 MiB, and the process ends at 256. Without that option the two differ by less than 5 %.
 *
 * @param options What Node was started with.
 * @returns What the heap may hold, in bytes.
 */
export function heapLimit(
  options: readonly string[] = nodeOptions(),
  v8Limit: number = getHeapStatistics().heap_size_limit,
): number {
  const [last] = [...options.join(' ').matchAll(/--max[-_]old[-_]space[-_]size[= ](\d+)(?!\S)/g)].slice(-1);
  return last === undefined ? v8Limit : Math.min(v8Limit, Number(last[1]) * 2 ** 20);
}
