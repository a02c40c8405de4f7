import { ConfigError } from '../config/problems.ts';

/** Exit codes (docs/runbook.md). */
export const EXIT = { clean: 0, failed: 1, migration: 70, configuration: 78 } as const;

export function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return EXIT.configuration;
  // By name: its class is loaded behind the open port.
  return (error as Error).name === 'MigrationError' ? EXIT.migration : EXIT.failed;
}
