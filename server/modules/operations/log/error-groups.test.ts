import { pino, stdSerializers } from 'pino';
import { describe, expect, it } from 'vitest';
import type { Failure } from '../../../platform/metrics/observations.ts';
import { ErrorGroups, firstFrameOfOurs, withoutParticulars } from './error-groups.ts';

/** Groups, and a logger whose errors they see. */
function watched() {
  const groups = new ErrorGroups();
  const log = pino({ serializers: { err: stdSerializers.err } }, { write: (line) => groups.add(line) });
  return { groups, log };
}

function fail(id: number): Error {
  return new RangeError(`note ${id} of "user ${id}@example.com" is out of range`);
}
const failElsewhere = (id: number) => new RangeError(`note ${id} of "user" is out of range`);

it('counts errors of one kind together, and shows the last of them', () => {
  const { groups, log } = watched();
  for (const id of [1, 22, 333]) {
    log.error(
      { err: fail(id), requestId: `request-${id}`, method: 'GET', route: '/api/notes/:id' },
      'failed',
    );
  }
  const [group, ...others] = groups.list();
  expect(others).toEqual([]);
  expect(group).toMatchObject({
    type: 'RangeError',
    message: 'note 333 of "user 333@example.com" is out of range',
    count: 3,
    requestId: 'request-333',
    route: 'GET /api/notes/:id',
    stack: expect.stringMatching(/RangeError: note 333[\s\S]+error-groups\.test\.ts/),
  });
  expect(Date.parse(group?.firstSeen as string)).toBeLessThanOrEqual(Date.parse(group?.lastSeen as string));
});

it('tells them apart by type, words and place', () => {
  const { groups, log } = watched();
  log.error({ err: fail(1) });
  log.error({ err: failElsewhere(1) });
  log.error({ err: new TypeError('note 1 of "user" is out of range') });
  log.fatal({ err: new RangeError('something else') });
  log.error('without an error');
  log.error({ err: fail(2) });
  expect(groups.list().map(({ type, count }) => [type, count])).toEqual([
    ['RangeError', 2],
    ['RangeError', 1],
    ['TypeError', 1],
    ['RangeError', 1],
  ]);
  expect(groups.seen).toBe(5);
});

it('takes what is thrown and is no error', () => {
  const { groups, log } = watched();
  log.error({ err: 'a text' }, 'failed');
  log.error({ err: null }, 'nothing');
  log.error({ err: { code: 5 } }, 'an object');
  expect(groups.list().map(({ message }) => message)).toEqual(['an object', 'a text']);
});

it('forgets the kind that was seen least recently, and never holds more than 200', () => {
  const { groups, log } = watched();
  const word = (n: number) => n.toString(26).replace(/\d/g, (digit) => 'qrstuvwxyz'[Number(digit)] as string);
  const first = () => new Error('first');
  log.error({ err: first() });
  for (let n = 0; n < 150; n++) log.error({ err: new Error(`kind ${word(n)}`) });
  log.error({ err: first() });
  for (let n = 150; n < 300; n++) log.error({ err: new Error(`kind ${word(n)}`) });
  const kept = groups.list();
  expect(kept).toHaveLength(200);
  expect(kept.find(({ message }) => message === 'first')?.count).toBe(2);
  expect(kept.some(({ message }) => message === `kind ${word(0)}`)).toBe(false);
});

describe('answers of 500 or more', () => {
  const notes = { method: 'GET', route: '/api/notes' };
  const answered = (id: string, failure?: Failure) => ({ id, url: '/api/notes', failure });
  const lost = (port: number) => ({
    type: 'DatabaseUnavailableError',
    message: `connect ECONNREFUSED 127.0.0.1:${port}`,
    logged: false,
  });
  const shed = { type: 'ProblemError', message: 'The server is overloaded.', logged: false };

  it('are counted by status, type and route, with the latest request', () => {
    const { groups } = watched();
    groups.addAnswer(notes, 503, answered('1', lost(5432)));
    groups.addAnswer(notes, 503, answered('2', shed));
    groups.addAnswer({ ...notes, method: 'POST' }, 503, answered('3', lost(5432)));
    groups.addAnswer(notes, 503, answered('4', lost(5433)));
    groups.addAnswer(notes, 502);
    const found = groups.list();
    expect(
      found.map(({ status, type, route, count, requestId }) => [status, type, route, count, requestId]),
    ).toEqual([
      [502, 'Bad Gateway', 'GET /api/notes', 1, undefined],
      [503, 'DatabaseUnavailableError', 'GET /api/notes', 2, '4'],
      [503, 'DatabaseUnavailableError', 'POST /api/notes', 1, '3'],
      [503, 'ProblemError', 'GET /api/notes', 1, '2'],
    ]);
    expect(found[1]?.message).toContain('5433');
    expect(new Set(found.map(({ fingerprint }) => fingerprint)).size).toBe(4);
  });

  it('are not counted again when the log has their error', () => {
    const { groups } = watched();
    groups.addAnswer(notes, 500, answered('1', { type: 'RangeError', message: 'away', logged: true }));
    expect(groups.list()).toEqual([]);
  });

  it('are never more than 200 kinds', () => {
    const { groups } = watched();
    for (let n = 0; n < 300; n++)
      groups.addAnswer({ method: 'GET', route: `/${n}` }, 503, answered('1', shed));
    expect(groups.list()).toHaveLength(200);
  });
});

it('keeps the beginning of what is long', () => {
  const { groups, log } = watched();
  log.error({ err: new Error('long '.repeat(10_000)) });
  const [group] = groups.list();
  expect(group?.message.length).toBe(1_001);
  expect(group?.stack?.length).toBe(8_001);
});

it.each([
  ['relation "notes" does not exist', 'relation "tags" does not exist'],
  ['timed out after 300 ms', 'timed out after 30000 ms'],
  ['no user 3f2504e0-4f89-41d3-9a0c-0305e82c3301', 'no user 9a3c1e2b-0000-4111-8222-333344445555'],
  ["can't open 'a b'", "can't open 'c'"],
  ['token abc123def456ghi789 expired', 'token zzz999yyy888xxx777 expired'],
])('%s is as good as %s', (one, other) => {
  expect(withoutParticulars(one)).toBe(withoutParticulars(other));
});

it('sees its own code in a stack', () => {
  const stack = [
    'Error: away',
    '    at connect (node:net:10:5)',
    '    at Client.query (/srv/app/node_modules/pg/lib/client.js:3:9)',
    '    at async Promise.all (index 0)',
    '    at NoteQueries.list (/srv/app/server/features/notes/queries.ts:30:11)',
    '    at handler (/srv/app/server/features/notes/routes.ts:20:3)',
  ].join('\n');
  expect(firstFrameOfOurs(stack)).toBe(
    'at NoteQueries.list (/srv/app/server/features/notes/queries.ts:30:11)',
  );
  expect(firstFrameOfOurs(undefined)).toBe('');
});
