import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { inGroup, setting } from '../setting.ts';
import { boolean, bytes, choice, GIB, integer, MIB, parseHosts, path } from '../values.ts';

export const observation = inGroup('Metrics and logs', {
  metrics: {
    enabled: setting('ENABLE_METRICS', boolean, {
      default: true,
      aliases: ['METRICS_ENABLED'],
      doc: 'Measure, and answer `/metrics`.',
    }),
    port: setting('METRICS_PORT', integer(1, 65_535), {
      doc: 'Answer `/metrics` and the probes, and nothing else, on a port of their own that needs no key and must not be public.',
    }),
    hosts: setting(
      'METRICS_HOST',
      { kind: 'addresses, comma-separated', parse: parseHosts },
      {
        defaultText: 'as `HOST` in containers, else `127.0.0.1,::1`',
        doc: 'The addresses of `METRICS_PORT`: those of the network that scrapers come from.',
      },
    ),
  },
  log: {
    level: setting('LOG_LEVEL', choice('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'), {
      default: 'info',
      doc: 'The least severe lines that are written; case is ignored.',
    }),
    file: setting('LOG_FILE', path, {
      doc: "Write the log to this file as well, rotated. It is readable for the server's own account alone.",
    }),
    fileMaxBytes: setting('LOG_FILE_MAX_BYTES', bytes(1024, 1024 * GIB), {
      default: 100 * MIB,
      doc: 'A larger log file is rotated.',
    }),
    fileCount: setting('LOG_FILE_COUNT', integer(1, 1000), {
      default: 10,
      doc: 'Rotated log files that are kept.',
    }),
  },
  /** Where reports of the heap are written. */
  diagnosticsDir: setting('DIAGNOSTICS_DIR', path, {
    default: ({ folder }) => resolve(folder, process.report.directory || tmpdir()),
    defaultText: "the folder of Node's `--report-directory`, else the one for temporary files",
    doc: 'The folder for reports of the heap: by a signal, and when memory runs out. It is made in a folder that is there.',
  }),
});
