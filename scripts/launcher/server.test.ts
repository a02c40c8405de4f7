import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SERVER } from './server.mjs';

const text = (file: string) => readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
const [flag, main] = SERVER;

it('is what Replit runs', () => {
  expect(text('.replit')).toContain(`\nrun = ["node", "${flag}", "${main}"]\n`);
});
