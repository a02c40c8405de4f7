import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FLAGS, MAIN } from './server.mjs';

const text = (file: string) => readFileSync(join(import.meta.dirname, '../..', file), 'utf8');

it('is what Replit runs', () => {
  const command = ['node', ...FLAGS, MAIN].map((word) => `"${word}"`).join(', ');
  expect(text('.replit')).toContain(`\nrun = [${command}]\n`);
});
