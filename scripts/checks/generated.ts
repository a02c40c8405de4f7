/** Generated files are what their generators would write. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const generators = ['generate-config-docs.ts'];

for (const generator of generators) {
  const script = join(import.meta.dirname, '..', generator);
  const { status } = spawnSync(process.execPath, [script, '--check'], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
