import { expect, it } from 'vitest';
import { wordsIn } from './words.ts';

it('reports each word with its line and what to write instead', () => {
  const text = 'const MAX_CLIENTS = 3;\n// Whoever comes is refused at the door.\nconst MOST_CLIENTS = 3;\n';
  expect(wordsIn('server/a.ts', text)).toEqual([
    "server/a.ts:2: 'Whoever': instead, name the actor: the client, the operator, the caller.",
    "server/a.ts:2: 'door': instead, entry point, check, limit or port.",
    "server/a.ts:3: 'MOST_CLIENTS': instead, MAX_… or MIN_…, with the unit.",
  ]);
});

it.each([
  'const MOST = 1',
  'refuseAtTheDoor(x)',
  'an error that nothing caught',
  'a WaitingLine',
  'remarkOnStrangers',
])('finds %s', (text) => {
  expect(wordsIn('a.ts', text)).toHaveLength(1);
});

it.each(['at most three, at least one', 'ALMOST', 'the utmost', 'outdoors', 'a waiting request', 'UTMOST_'])(
  'accepts %s',
  (text) => {
    expect(wordsIn('a.md', text)).toEqual([]);
  },
);
