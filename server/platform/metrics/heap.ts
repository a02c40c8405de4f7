/** Writes a report when the process runs out of memory. */
import { access, constants, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { heapLimit } from '../lib/memory.ts';
import { MIB } from '../lib/units.ts';
import type { Logger } from '../logging/logger.ts';

const mib = (bytes: number): number => Math.round((bytes / MIB) * 10) / 10;

/** The heap at this moment, in MiB, as it stands in the log; the larger of its spaces by name. */
export function heapFigures() {
  const { used_heap_size, external_memory } = getHeapStatistics();
  const spaces = getHeapSpaceStatistics()
    .map(({ space_name, space_used_size }) => [space_name, mib(space_used_size)] as const)
    .filter(([, used]) => used >= 1);
  return {
    usedMiB: mib(used_heap_size),
    limitMiB: mib(heapLimit()),
    outsideMiB: mib(external_memory),
    spacesMiB: Object.fromEntries(spaces),
  };
}

/**
 * Why no report can be written to a folder, which is made where it alone is missing; undefined where one can.
 *
 * @returns Words for an operator, with the system's code, such as EROFS for a read-only file system.
 */
export async function reportsRefused(folder: string): Promise<string | undefined> {
  try {
    // Not with its parents: Node's recursive form never ends below /proc, in a thread that stays busy.
    await mkdir(folder, 0o700).catch((error) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await access(folder, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return `${folder} cannot be written (${(error as NodeJS.ErrnoException).code})`;
  }
}

/**
 * Has Node write a diagnostic report when the heap is exhausted, which ends the process in the middle of whatever it does;
 * standard error then names the file. No report names environment variables or remote addresses. A folder that cannot be
 * written is said now, while there is time to give it another.
 *
 * @param folder `DIAGNOSTICS_DIR`.
 */
export async function reportWhenOutOfMemory(folder: string, log: Logger): Promise<void> {
  // Names of servers would be looked up while nothing is answered; variables hold secrets.
  const silent = { excludeEnv: true, excludeNetwork: true };
  Object.assign(process.report, silent, { directory: folder, reportOnFatalError: true });
  const refused = await reportsRefused(folder);
  if (refused) {
    log.warn(
      `No report will be written when memory runs out: ${refused}. Set DIAGNOSTICS_DIR to a writable folder.`,
    );
  }
}

/**
 * Collects garbage and writes a diagnostic report that holds the heap before and after.
 *
 * What is left after a collection is what is kept: two reports an hour apart tell a leak from a busy moment. It takes some
 * tenths of a second, in which nothing is answered.
 */
export async function writeHeapReport(log: Logger): Promise<void> {
  const time = new Date().toISOString().replaceAll(':', '-');
  const file = join(process.report.directory, `report-${time}-${process.pid}.json`);
  try {
    const before = heapFigures();
    collectGarbage();
    const after = heapFigures();
    const report = {
      heapBeforeCollection: before,
      heapAfterCollection: after,
      ...process.report.getReport(),
    };
    await writeFile(file, JSON.stringify(report, null, 1), { mode: 0o600 });
    log.info({ file, before, after }, 'garbage collected, report written');
  } catch (err) {
    log.error({ err }, `no report could be written to ${file}: set DIAGNOSTICS_DIR to a writable folder`);
  }
}

/** Collects everything at once, in which time nothing is answered. */
export function collectGarbage(): void {
  // Node hides the collector from scripts; a context made under this flag has it.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  collect();
}
