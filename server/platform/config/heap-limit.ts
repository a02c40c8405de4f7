import { getHeapStatistics } from 'node:v8';

/**
 * What the heap may hold, in bytes.
 *
 * V8's own `heap_size_limit` counts space for young objects on top (192 MiB, measured), which never fills: under
 * `--max-old-space-size=256` it says 448 MiB, and the process ends at 256. By default, which follows the machine or the
 * container, the two differ by less than 5 %.
 *
 * @param options What Node was started with.
 */
export function heapLimit(
  options: readonly string[] = [process.env.NODE_OPTIONS ?? '', ...process.execArgv],
  v8Limit: number = getHeapStatistics().heap_size_limit,
): number {
  const [last] = [...options.join(' ').matchAll(/--max[-_]old[-_]space[-_]size[= ](\d+)(?!\S)/g)].slice(-1);
  return last === undefined ? v8Limit : Math.min(v8Limit, Number(last[1]) * 2 ** 20);
}

/** The container's memory limit in bytes, or null where there is none (libuv reports a huge number, or the machine's own size). */
export function memoryLimit(): number | null {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < 2 ** 50 ? limit : null;
}
