import { readdir, statfs } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { memoryUsage } from '../lib/memory.ts';
import { openFilesLimit } from '../lib/open-files.ts';
import { type Check, CheckFailure } from './health-checks.ts';

const GIB = 2 ** 30;

/**
 * Degraded when the process fills its container.
 *
 * @param limitBytes What the process may use; null where nothing limits it.
 * @param share Degraded above this part of the limit.
 */
export function memoryCheck(limitBytes: number | null = memoryLimit(), share = 0.9): Check {
  return {
    name: 'memory',
    required: false,
    timeoutMs: 1_000,
    run() {
      if (limitBytes === null) return;
      const used = memoryUsage().rss;
      if (used <= limitBytes * share) return;
      return { degraded: `${percent(used / limitBytes)} of the memory limit is in use` };
    },
  };
}

/** The container's memory limit in bytes, or null where there is none (libuv reports a huge number, or the machine's own size). */
export function memoryLimit(): number | null {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < 2 ** 50 ? limit : null;
}

/**
 * Degraded when the event loop had hardly a pause since the last look.
 *
 * Utilisation is a difference between two readings of a counter that Node keeps anyway: nothing samples in between, and
 * a process that was frozen reads as idle, not as late.
 */
export function eventLoopCheck(share = 0.95): Check {
  let last = performance.eventLoopUtilization();
  return {
    name: 'event-loop',
    required: false,
    timeoutMs: 1_000,
    run() {
      const now = performance.eventLoopUtilization();
      const { utilization, active } = performance.eventLoopUtilization(now, last);
      last = now;
      // Short readings are noise: one long turn of 100 ms is no trend.
      if (active < 500 || utilization <= share) return;
      return { degraded: `the event loop was busy ${percent(utilization)} of the time` };
    },
  };
}

/**
 * Degraded under 20 % of free disk space; under 10 % it says so as an error.
 *
 * @param folder Any folder of the file system in question.
 */
export function diskCheck(folder: string): Check {
  return {
    name: 'disk',
    required: false,
    timeoutMs: 1_000,
    async run() {
      const { bavail, blocks, bsize } = await statfs(folder);
      const free = blocks > 0 ? bavail / blocks : 1;
      if (free >= 0.2) return;
      const left = `${percent(free)} of the disk is free (${((bavail * bsize) / GIB).toFixed(1)} GiB)`;
      if (free < 0.1) throw new CheckFailure(left);
      return { degraded: left };
    },
  };
}

/**
 * Degraded when nearly as many files are open, connections among them, as the system allows this process.
 *
 * @param share Degraded above this part of the limit.
 */
export function openFilesCheck(limit: number | null = openFilesLimit(), share = 0.9): Check {
  return {
    name: 'open-files',
    required: false,
    timeoutMs: 1_000,
    async run() {
      if (limit === null) return;
      const open = await readdir('/proc/self/fd').catch((cause) => {
        throw new CheckFailure('no further file can be opened', { cause });
      });
      if (open.length <= limit * share) return;
      return { degraded: `${open.length} of ${limit} files are open` };
    },
  };
}

/**
 * Asks another service: passing when it answers with a status below 500.
 *
 * @param options.name As it appears in `/health`.
 * @param options.url What to ask. It is never shown to a stranger.
 * @param options.required Whether this server is of no use without it.
 */
export function httpCheck(options: {
  name: string;
  url: string;
  required?: boolean;
  timeoutMs?: number;
}): Check {
  return {
    name: options.name,
    required: options.required ?? false,
    timeoutMs: options.timeoutMs ?? 2_000,
    async run(signal) {
      let status: number;
      try {
        const answer = await fetch(options.url, { signal, redirect: 'manual' });
        await answer.body?.cancel();
        status = answer.status;
      } catch (error) {
        throw new CheckFailure('it cannot be reached', { cause: error });
      }
      if (status >= 500) throw new CheckFailure(`it answers with ${status}`);
    },
  };
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;
