import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
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

  it('shows no secret, however its field is spelt and wherever it stands', async () => {
    const secret = 'hunter2';
    const names = [
      'authorization',
      'Proxy-Authorization',
      'cookie',
      'Set-Cookie',
      'password',
      'db_password',
      'PGPASSWORD',
      'passphrase',
      'secret',
      'clientSecret',
      'SESSION_SECRET',
      'token',
      'access_token',
      'refreshToken',
      'x-api-key',
      'apiKey',
      'INTERNAL_API_KEY',
      'private.key',
      'databaseUrl',
      'DATABASE_DIRECT_URL',
      'redis-url',
      'connectionString',
      'credentials',
    ];
    const { text, lines } = await logged(`
      const bad = Object.fromEntries(${JSON.stringify(names)}.map((name) => [name, '${secret}']));
      log.info(bad);
      log.info({ a: { b: [{ c: { d: { e: [bad] } } }] } });
      log.child(bad).info('from a child');
      log.info({ secrets: ['${secret}'], cookies: { session: '${secret}' }, password: 1${secret.length}, token: null });
      log.error({ err: Object.assign(new Error('x'), { config: { headers: bad } }) });
      log.info({ maxTokens: 500, author: 'Kim', keyboard: 'qwerty', cookieless: true, url: '/a' });
      flush();`);
    expect(text).not.toContain(secret);
    expect(text.match(/"\[redacted\]"/g)?.length).toBe(4 * names.length + 3);
    expect(lines.find(({ author }) => author)).toMatchObject({
      maxTokens: 500,
      author: 'Kim',
      keyboard: 'qwerty',
      url: '/a',
    });
  });

  it('shows no password of an address, whatever text holds it', async () => {
    const kept =
      'http://localhost:5000/@vite/client at file:///a/node_modules/@fastify/error/index.js:1:2, ask a@b.c';
    const { text, lines } = await logged(`
      log.info('cannot reach postgres://app:hunter2@db.internal:5432/app, nor redis://:hunter2@cache');
      log.info({ remote: 'https://hunter2@example.com/x.git', list: ['amqp://u:hun@ter/hunter2@host/v'] });
      log.error(new Error('connect mongodb+srv://u:hunter2@host'));
      log.info(${JSON.stringify(kept)});
      flush();`);
    expect(text).not.toContain('hunter2');
    expect(text).toContain('postgres://[redacted]@db.internal:5432/app, nor redis://[redacted]@cache');
    expect(lines.map(({ msg }) => msg)).toContain(kept);
  });

  it('shows nothing of a row or of the values of a statement, however deep the error lies', async () => {
    const { text, lines } = await logged(`
      const { DrizzleQueryError } = await import('drizzle-orm/errors');
      const { default: pg } = await import('pg');
      const row = Object.assign(new pg.DatabaseError('violates check constraint "short"', 9, 'error'), {
        severity: 'ERROR', code: '23514', detail: 'Failing row contains (my\\ndiary).', table: 'notes',
        where: 'portal with parameters: $1 = my diary', internalQuery: 'select diary', routine: 'ExecConstraints' });
      const failed = new DrizzleQueryError('insert into notes values ($1)', ['my\\ndiary'], row);
      log.error(row); log.error({ error: row }); log.error({ a: [{ row }] });
      log.error(failed); log.error({ error: failed });
      log.error({ err: new Error('outer', { cause: failed }) }, 'outer');
      log.error({ err: new AggregateError([failed, row], 'both') }, 'both');
      log.info({ params: { id: 1 }, query: { detail: 'kept' } });
      flush();`);
    expect(text).not.toContain('diary');
    expect(text.match(/23514/g)?.length).toBeGreaterThan(4);
    const outer = lines.find(({ msg }) => msg === 'outer');
    expect(outer.err.message).toBe(
      'outer: Failed query: insert into notes values ($1): violates check constraint "short"',
    );
    expect(outer.err.stack).toMatch(/at .+caused by.+at /s);
    expect(lines.find(({ params }) => params)).toMatchObject({
      params: { id: 1 },
      query: { detail: 'kept' },
    });
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
      // Each line is written before the next, also on a slow disk.
      `const { readFileSync } = await import('node:fs');
       const holds = (name, text) => { try { return readFileSync(name, 'utf8').includes(text); } catch { return false; } };
       for (let n = 0; n < 100; n++) {
         log.warn({ n, fill: 'x'.repeat(900) });
         while (!['', '.1'].some((end) => holds(${JSON.stringify(file)} + end, \`"n":\${n},\`))) await sleep(3);
       }
       flush();
       process.exit(0);`,
      { file },
    );
    const names = (await readdir(join(folder, 'rotated'))).sort();
    expect(names).toEqual(['server.log', 'server.log.1', 'server.log.2', 'server.log.3']);
    const kept = await Promise.all(names.map((name) => readFile(join(folder, 'rotated', name), 'utf8')));
    for (const part of kept) expect(part.length).toBeLessThan(12_000);
    const numbers = kept
      .flatMap((part) => part.trim().split('\n').filter(Boolean))
      .map((line) => JSON.parse(line).n);
    // The newest, without a gap or a repeat.
    expect(numbers.sort((a, b) => a - b)).toEqual(
      Array.from({ length: numbers.length }, (_, n) => 100 - numbers.length + n),
    );
    expect(text.trim().split('\n')).toHaveLength(100);
  });

  it.runIf(process.platform !== 'win32')('is for its owner alone, those before it included', async () => {
    const file = join(folder, 'private', 'server.log');
    await mkdir(join(folder, 'private'));
    // Left by a release that made it for all to read.
    await writeFile(file, 'old\n');
    await chmod(file, 0o644);
    await logged(
      `process.umask(0);
       for (let n = 0; n < 30; n++) { log.warn({ n, fill: 'x'.repeat(900) }); await sleep(3); }
       await sleep(100); log.info('the end'); flush(); process.exit(0);`,
      { file },
    );
    const names = await readdir(join(folder, 'private'));
    expect(names.length).toBeGreaterThan(1);
    for (const name of names) {
      expect([name, ((await stat(join(folder, 'private', name))).mode & 0o777).toString(8)]).toEqual([
        name,
        '600',
      ]);
    }
  });

  it('that cannot be written is said once, and standard output goes on', async () => {
    const file = join(import.meta.dirname, 'logger.ts', 'not-a-folder.log');
    const { lines } = await logged(`log.warn('one'); await sleep(50); log.warn('two'); flush();`, { file });
    expect(lines.filter(({ msg }) => msg.startsWith('LOG_FILE cannot be written'))).toHaveLength(1);
    expect(lines.map(({ msg }) => msg)).toEqual(expect.arrayContaining(['one', 'two']));
  });
});

describe.concurrent('the lines of the log', () => {
  it('are handed on as they are written, an error as the last of those before it', async () => {
    const { lines } = await logged(
      `const heard = [];
       const { log: other, lines } = await createLogger({ level: 'info', fileMaxBytes: 1, fileCount: 1 }, false);
       other.info('early'); other.error('bad'); other.info('x'.repeat(40_000));
       lines.subscribe((bytes, count, endsInError) => heard.push([String(bytes).length > 40_000, count, endsInError]));
       other.info('buffered'); other.fatal('y'.repeat(40_000)); other.info('one'); other.info('two');
       lines.flush();
       log.warn({ heard }, 'heard'); flush();`,
    );
    expect(lines.find(({ msg }) => msg === 'heard')?.heard).toEqual([
      [false, 2, true],
      [true, 1, false],
      [false, 1, false],
      [true, 1, true],
      [false, 2, false],
    ]);
  });
});
