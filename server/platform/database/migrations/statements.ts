import { BREAKPOINT } from './files.ts';

/** One statement of a migration. */
export interface Statement {
  text: string;
  /** Without comments and without what is in strings, so that words in them do not mislead. */
  bare: string;
  /** Where it begins in the file. */
  at: number;
}

/** What is no code. Names hold letters beyond ASCII, and `$`, which begins no string there. */
const OPAQUE =
  /--[^\n]*|\/\*|(?<![\w$\u0080-\uffff])e'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<![\w$\u0080-\uffff])(\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)[\s\S]*?\1|;/gi;

/** @returns Where the comment ends that begins at `from`: comments of SQL contain others. */
function endOfComment(sql: string, from: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = from;
  let depth = 0;
  for (let mark = marks.exec(sql); mark; mark = marks.exec(sql)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return sql.length;
}

/** The statements of a migration, cut where a semicolon or drizzle-kit's mark ends one; those that are all comment left out. */
export function splitStatements(sql: string): Statement[] {
  const statements: Statement[] = [];
  let offset = 0;
  for (const chunk of sql.split(BREAKPOINT)) {
    let begin = 0;
    let bare = '';
    let seen = 0;
    const cut = (end: number) => {
      bare += chunk.slice(seen, end);
      const text = chunk.slice(begin, end);
      const at = offset + begin + Math.max(text.search(/\S/), 0);
      if (bare.trim()) statements.push({ text: text.trim(), bare: bare.trim(), at });
      bare = '';
      begin = seen = end + 1;
    };
    const opaque = new RegExp(OPAQUE);
    for (let found = opaque.exec(chunk); found; found = opaque.exec(chunk)) {
      const { 0: token, index } = found;
      if (token === ';') {
        cut(index);
        continue;
      }
      if (token === '/*') opaque.lastIndex = endOfComment(chunk, index);
      const comment = token === '/*' || token.startsWith('--');
      bare += chunk.slice(seen, index) + (comment ? ' ' : token.startsWith('"') ? token : "''");
      seen = opaque.lastIndex;
    }
    cut(chunk.length);
    offset += chunk.length + BREAKPOINT.length;
  }
  return statements;
}
