import { getHeapStatistics } from 'node:v8';
import { nodeOptions } from '../config/node-options.ts';
import { MIB } from '../lib/units.ts';

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
  options: readonly string[] = nodeOptions(),
  v8Limit: number = getHeapStatistics().heap_size_limit,
): number {
  const [last] = [...options.join(' ').matchAll(/--max[-_]old[-_]space[-_]size[= ](\d+)(?!\S)/g)].slice(-1);
  return last === undefined ? v8Limit : Math.min(v8Limit, Number(last[1]) * MIB);
}
