import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SERVER } from './server.mjs';

const text = (file: string) => readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
const [flag, main] = SERVER;

it('is what Replit runs', () => {
  expect(text('.replit')).toContain(`\nrun = ["node", "${flag}", "${main}"]\n`);
});

it('is what the image runs, by its environment and its entry point', () => {
  expect(text('Dockerfile')).toMatch(new RegExp(`ENV NODE_ENV=production NODE_OPTIONS=".*${flag}"`));
  expect(text('Dockerfile')).toContain(`ENTRYPOINT ["node", "${main}"]`);
  expect(text('docs/deploying.md')).toContain(flag);
});
