import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { inGroup, setting } from '../setting.ts';
import { boolean, bytes, choice, GIB, integer, listenAddresses, MIB, path } from '../values.ts';

export const observation = inGroup('Metrics and logs', {
  metrics: {
    enabled: setting('ENABLE_METRICS', boolean, {
      default: true,
      aliases: ['METRICS_ENABLED'],
      doc: 'Collect metrics, and answer `/metrics`.',
    }),
    port: setting('METRICS_PORT', integer(1, 65_535), {
      doc: 'A port of its own for `/metrics` and the probes alone. It needs no key and must not be public.',
    }),
    hosts: setting('METRICS_HOST', listenAddresses, {
      defaultText: 'as `HOST` in containers, else `127.0.0.1,::1`',
      doc: 'The addresses of `METRICS_PORT`: those of the network that scrapers come from.',
    }),
  },
  log: {
    level: setting('LOG_LEVEL', choice('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'), {
      default: 'info',
      doc: 'The lowest level that is written; case is ignored.',
    }),
    file: setting('LOG_FILE', path, {
      doc: "Also write the log to this file, rotated as `NAME.1`, `NAME.2`, … Only the server's own account can read it.",
    }),
    fileMaxBytes: setting('LOG_FILE_MAX_BYTES', bytes(1024, 1024 * GIB), {
      default: 100 * MIB,
      doc: 'A larger log file is rotated.',
    }),
    fileCount: setting('LOG_FILE_COUNT', integer(1, 1000), {
      default: 10,
      doc: 'How many rotated log files are kept.',
    }),
  },
  diagnosticsDir: setting('DIAGNOSTICS_DIR', path, {
    default: ({ folder }) => resolve(folder, process.report.directory || tmpdir()),
    defaultText: "the folder of Node's `--report-directory`, else the one for temporary files",
    doc: 'The folder for heap reports: at SIGUSR2, and when memory runs out. It is created if its parent exists.',
  }),
});
