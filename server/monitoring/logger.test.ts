import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'logger-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs a few lines of code with a logger in a process of their own, whose standard output is the log. */
async function logged(code: string, options: Record<string, unknown> = {}) {
  const all = { level: 'info', fileMaxBytes: 10_000, fileCount: 3, ...options };
  const script = `
    import { createLogger } from ${JSON.stringify(join(import.meta.dirname, 'logger.ts'))};
    const { log, flush } = await createLogger(${JSON.stringify(all)}, false);
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    ${code}`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: import.meta.dirname,
  });
  let text = '';
  let errors = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  child.stderr.on('data', (chunk) => (errors += chunk));
  const [code_] = await once(child, 'close');
  expect(errors).toBe('');
  return {
    text,
    code: code_,
    lines: text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line)),
  };
}

describe.concurrent('the log', () => {
  it('is one JSON object a line, with level and time in words', async () => {
    const { lines } = await logged(`log.info({ size: 3 }, 'hello\\nworld'); log.debug('not this'); flush();`);
    expect(lines).toEqual([
      { level: 'info', time: expect.stringMatching(/^\d{4}-.*Z$/), size: 3, msg: 'hello\nworld' },
    ]);
  });

  it('keeps chatter for 100 ms, and lets it go at once with a warning or at the end', async () => {
    expect((await logged(`log.info('lost'); process.exit(0);`)).text).toBe('');
    expect((await logged(`log.info('kept'); await sleep(200); process.exit(0);`)).text).toContain('kept');
    expect((await logged(`log.info('kept'); flush(); process.exit(0);`)).text).toContain('kept');
    const { lines } = await logged(
      `log.info('first'); log.warn('second'); await sleep(20); process.exit(0);`,
    );
    expect(lines.map(({ msg }) => msg)).toEqual(['first', 'second']);
  });

  it('shows no secret, wherever an object brings one', async () => {
    const secret = 'hunter2';
    const { text } = await logged(`
      const bad = { authorization: '${secret}', cookie: '${secret}', password: '${secret}', token: '${secret}',
        secret: '${secret}', 'x-api-key': '${secret}', 'set-cookie': '${secret}' };
      log.info(bad); log.info({ headers: bad }); log.info({ request: { headers: bad } }); flush();`);
    expect(text).not.toContain(secret);
    expect(text.match(/\[redacted\]/g)?.length).toBe(21);
  });

  it('tells an error with its cause and stack, but not what people wrote into a failed statement', async () => {
    const { lines } = await logged(`
      const { DrizzleQueryError } = await import('drizzle-orm/errors');
      const cause = Object.assign(new Error('relation "notes" does not exist'), { code: '42P01' });
      log.error({ err: new DrizzleQueryError('insert into notes values ($1)', ['my\\ndiary'], cause) }, 'failed');
      log.error({ err: new Error('plain', { cause }) });
      log.error({ err: 'no error at all' });
      flush();`);
    // A write that is under way when the rest is flushed may come out last.
    const about = (text: string) => lines.find((line) => JSON.stringify(line).includes(text));
    const [statement, plain, text] = [about('"failed"'), about('"plain"'), about('no error at all')];
    expect(JSON.stringify(statement)).not.toContain('diary');
    expect(statement.err.message).toContain('insert into notes values ($1)');
    expect(statement.err.message).toContain('relation "notes" does not exist');
    expect(statement.err.stack).toContain('caused by');
    expect(plain.err).toMatchObject({ type: 'Error', message: 'plain: relation "notes" does not exist' });
    expect(text.err).toBe('no error at all');
  });
});

describe.concurrent('LOG_FILE', () => {
  it('holds the same lines, to the very last', async () => {
    const file = join(folder, 'same', 'server.log');
    const { text } = await logged(
      `for (let n = 0; n < 50; n++) { log[n % 7 ? 'info' : 'warn']({ n }); if (n % 10 === 0) await sleep(5); }
       log.fatal('the end'); flush(); process.exit(1);`,
      { file },
    );
    expect(text.trim().split('\n')).toHaveLength(51);
    expect((await readFile(file, 'utf8')).split('\n').sort()).toEqual(text.split('\n').sort());
  });

  it('is rotated by size, and only so many are kept', async () => {
    const file = join(folder, 'rotated', 'server.log');
    const { text } = await logged(
      `for (let n = 0; n < 100; n++) { log.warn({ n, fill: 'x'.repeat(900) }); await sleep(3); } await sleep(100); flush();
       process.exit(0);`,
      { file },
    );
    const names = (await readdir(join(folder, 'rotated'))).filter((name) => name.endsWith('server.log'));
    expect(names.length).toBe(4);
    const kept = await Promise.all(names.map((name) => readFile(join(folder, 'rotated', name), 'utf8')));
    // A file ends with the write that fills it, which on a slow disk is one of many lines.
    for (const part of kept) expect(part.length).toBeLessThan(25_000);
    const numbers = kept
      .flatMap((part) => part.trim().split('\n').filter(Boolean))
      .map((line) => JSON.parse(line).n);
    // The newest, without a gap or a repeat.
    expect(numbers.sort((a, b) => a - b)).toEqual(
      Array.from({ length: numbers.length }, (_, n) => 100 - numbers.length + n),
    );
    expect(text.trim().split('\n')).toHaveLength(100);
  });

  it('that cannot be written is said once, and standard output goes on', async () => {
    const file = join(import.meta.dirname, 'logger.ts', 'not-a-folder.log');
    const { lines } = await logged(`log.warn('one'); await sleep(50); log.warn('two'); flush();`, { file });
    expect(lines.filter(({ msg }) => msg.startsWith('LOG_FILE cannot be written'))).toHaveLength(1);
    expect(lines.map(({ msg }) => msg)).toEqual(expect.arrayContaining(['one', 'two']));
  });
});
