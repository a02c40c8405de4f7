import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FLAGS, MAIN } from './server.mjs';

const text = (file: string) => readFileSync(join(import.meta.dirname, '../..', file), 'utf8');

it('is what Replit runs', () => {
  const command = ['node', ...FLAGS, MAIN].map((word) => `"${word}"`).join(', ');
  expect(text('.replit')).toContain(`\nrun = [${command}]\n`);
});

it('is with its first option what the image warms up and runs: V8 refuses a cache that was made with others', () => {
  const [first] = FLAGS;
  expect(text('Dockerfile')).toContain(`\nRUN node ${first} scripts/warm-up.mjs `);
  expect(text('Dockerfile')).toContain(`\nENTRYPOINT ["node", "${first}", "${MAIN}"]\n`);
});
