import { describe, expect, it } from 'vitest';
import { splitStatements } from './statements.ts';

describe('statements', () => {
  it('are told apart, whatever stands in strings, comments and function bodies', () => {
    const sql = `select 'it''s; here', E'it\\'s; there', "a;b" /* one; two */ from c; -- three; four
create function f() returns int as $body$ begin; return 1; end $body$ language plpgsql;;
select $1
--> statement-breakpoint
-- nothing; here
--> statement-breakpoint
select 2;`;
    const statements = splitStatements(sql);
    expect(statements.map(({ bare }) => bare)).toEqual([
      `select '', '', "a;b"   from c`,
      `create function f() returns int as '' language plpgsql`,
      'select $1',
      'select 2',
    ]);
    expect(statements[1]?.text).toContain('begin; return 1; end');
    for (const { text, at } of statements) expect(sql.slice(at, at + text.length)).toBe(text);
  });
});
