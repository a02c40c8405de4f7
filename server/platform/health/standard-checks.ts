import { readdir, statfs } from 'node:fs/promises';
import { availableParallelism, freemem, loadavg, totalmem, uptime } from 'node:os';
import { performance } from 'node:perf_hooks';
import { memoryLimit, memoryUsage } from '../lib/memory.ts';
import { openFilesLimit } from '../lib/open-files.ts';
import { GIB, MIB } from '../lib/units.ts';
import { type Check, CheckFailure } from './health-checks.ts';

/** Less free space than this does not hold the next batch of log lines. */
const FULL_BYTES = MIB;
/** Of the machine's memory: below, the kernel starts to kill processes. */
const LOW_MEMORY_SHARE = 0.05;
/** How long a refused body keeps the check degraded, in milliseconds. */
const REFUSAL_SHOWN_MS = 10_000;

/** A check of this process and its machine, which is not required. */
const localCheck = (name: string, run: Check['run']): Check => ({
  name,
  required: false,
  timeoutMs: 1_000,
  run,
});

/**
 * Degraded when the process fills its container, or has refused request bodies for lack of memory.
 *
 * @param bodiesRefusedMs How long ago a body was refused, in milliseconds.
 * @param limitBytes The memory limit; null where there is none.
 * @param share Degraded above this part of the limit.
 */
export function memoryCheck(
  bodiesRefusedMs: () => number = () => Number.POSITIVE_INFINITY,
  limitBytes: number | null = memoryLimit(),
  share = 0.9,
): Check {
  return localCheck('memory', () => {
    if (bodiesRefusedMs() < REFUSAL_SHOWN_MS) {
      return { degraded: 'request bodies are refused: those in flight use all the memory for bodies' };
    }
    if (limitBytes === null) return;
    const used = memoryUsage().rss;
    if (used <= limitBytes * share) return;
    return { degraded: `${percent(used / limitBytes)} of the memory limit is in use` };
  });
}

/** The whole machine, which other containers may share. */
const thisMachine = () => ({
  cpus: availableParallelism(),
  /** Over the last minute; 1 keeps one CPU busy. */
  load1m: loadavg()[0] ?? 0,
  memoryTotalBytes: totalmem(),
  /** Without swapping. */
  memoryAvailableBytes: freemem(),
  uptimeSeconds: uptime(),
});

/**
 * The machine that the process runs on: its CPUs and their load, memory and uptime. Degraded when little of its memory is
 * left, whichever process uses it; {@link memoryCheck} judges this process. Load is shown and not judged: it does not say how
 * long requests wait, which {@link eventLoopCheck} does.
 */
export function systemCheck(look = thisMachine): Check {
  return localCheck('system', () => {
    const details = look();
    const available = details.memoryAvailableBytes / details.memoryTotalBytes;
    // Elsewhere the number leaves out what the system would give back at once.
    if (process.platform !== 'linux' || available >= LOW_MEMORY_SHARE) return { details };
    return { degraded: `${percent(available)} of the memory of the machine is available`, details };
  });
}

/**
 * Degraded when the event loop was nearly always busy since the last run.
 *
 * Utilisation is a difference between two readings of a counter that Node keeps anyway: nothing samples in between, and
 * a process that was frozen reads as idle, not as late.
 */
export function eventLoopCheck(share = 0.95): Check {
  let last = performance.eventLoopUtilization();
  return localCheck('event-loop', () => {
    const now = performance.eventLoopUtilization();
    const { utilization, active } = performance.eventLoopUtilization(now, last);
    last = now;
    // Short intervals are noise: one long turn of 100 ms is no trend.
    if (active < 500 || utilization <= share) return;
    return { degraded: `the event loop was busy ${percent(utilization)} of the time` };
  });
}

/**
 * Degraded under 20 % of free disk space, failing under 10 %; where nothing is left `/health` is 503.
 *
 * `/ready` never depends on it: no request needs the disk, and standard output has each line of the log as well. Taking
 * every replica of a full machine out of traffic would turn a warning into an outage.
 *
 * @param folder Any folder of the file system in question.
 */
export function diskCheck(folder: string): Check {
  return localCheck('disk', async () => {
    const { bavail, blocks, bsize } = await statfs(folder);
    const free = blocks > 0 ? bavail / blocks : 1;
    if (free >= 0.2) return;
    if (bavail * bsize < FULL_BYTES) {
      throw new CheckFailure('the disk is full', { unhealthy: true });
    }
    const left = `${percent(free)} of the disk is free (${((bavail * bsize) / GIB).toFixed(1)} GiB)`;
    if (free < 0.1) throw new CheckFailure(left);
    return { degraded: left };
  });
}

/**
 * Degraded when nearly as many files, connections included, are open as the system allows this process.
 *
 * @param share Degraded above this part of the limit.
 */
export function openFilesCheck(limit: number | null = openFilesLimit(), share = 0.9): Check {
  return localCheck('open-files', async () => {
    if (limit === null) return;
    const open = await readdir('/proc/self/fd').catch((cause) => {
      throw new CheckFailure('no further file can be opened', { cause });
    });
    if (open.length <= limit * share) return;
    return { degraded: `${open.length} of ${limit} files are open` };
  });
}

/**
 * Requests another service: passing when it answers with a status below 500.
 *
 * @param options.name As it appears in `/health`.
 * @param options.url Is not public.
 * @param options.required Whether this server is not ready without it.
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
