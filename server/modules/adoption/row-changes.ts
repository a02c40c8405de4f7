import { type Statement, splitStatements } from '../../platform/database/migrations/statements.ts';

/**
 * Tables as a statement writes them, and all its words, among which are the functions that it may call. `any` where it
 * cannot be told which tables it changes: what is not understood is never taken for harmless.
 */
export type RowChange = { tables: string[]; words: string[] } | 'any';

const WORD = String.raw`(?:"(?:[^"]|"")+"|[a-z_\u0080-\uffff][\w$\u0080-\uffff]*)`;
const NAME = String.raw`${WORD}(?:\s*\.\s*${WORD})?`;
/** Nothing that would make the name another one: a third part, or the rest of `U&"…"`. */
const END = String.raw`(?=[\s(),;*]|$)`;
const VERB = /\b(?:insert\s+into|merge\s+into|update|delete\s+from|truncate)\b/gi;
const TARGET = new RegExp(String.raw`\s*(?:table\b\s*)?(?:only\b\s*)?\(?\s*(${NAME})${END}`, 'iy');
/** Where words that change rows say something else: actions of a foreign key, locks, and branches that name no table. */
const NO_VERB =
  /\bon\s+(update|delete)\s+(no\s+action|restrict|cascade|set\s+null|set\s+default)\b|\bfor\s+(no\s+key\s+)?update\b|\b(do|then)\s+update\s+set\b(?!\s+set\b)/gi;
const COPY = new RegExp(String.raw`^copy\s+(${NAME})\s*(?:\([^)]*\)\s*)?from\b`, 'i');
const DROP = new RegExp(
  String.raw`^drop\s+table\s+(?:if\s+exists\s+)?(${NAME}(?:\s*,\s*${NAME})*)\s*(?:cascade|restrict)?$`,
  'i',
);
const ALTERED = new RegExp(
  String.raw`^alter\s+table\s+(?:if\s+exists\s+)?(?:only\b\s*)?\(?\s*(${NAME})${END}`,
  'i',
);
const TAKES_VALUES =
  /\bdrop\s+(column\b|(?!constraint\b|default\b|not\b|identity\b|expression\b))|\btype\b[\s\S]*\busing\b|\bdetach\s+partition\b/i;
/** Of the statements that are no DDL, those that leave rows and sequences alone. */
const HARMLESS =
  /^(analyze|begin|checkpoint|cluster|comment|commit|discard|end|grant|listen|lock|notify|reassign|refresh|reindex|reset|revoke|savepoint|security|set|show|start|unlisten|vacuum)\b/i;
/** What runs code that cannot be seen here. */
const CALLS = /^(call|execute)\b|\b(select|values|perform)\b[\s\S]*\(/i;
/** Built-in functions that change sequences and large objects, or run SQL from a text. */
const WRITES = /\b(setval|lo_\w+|lowrite|\w+_to_xml\w*)\b/i;
const CALLS_IN_BLOCK = /\b(call|execute|perform|select|truncate|copy)\b/i;
const BLOCK =
  /^do\s*(?:language\s+plpgsql\s*)?(\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)([\s\S]*)\1(?:\s*language\s+plpgsql)?$/i;
const BEGINS_BLOCK = /^(?:(?:begin|exception|when\s+\w+(?:\s+or\s+\w+)*\s+then|null)\b\s*)+/i;

/**
 * Which tables lose or gain rows, or get other values, where a statement runs. DDL that takes rows away counts as well.
 * @returns undefined for a statement that changes no rows.
 */
export function rowChange({ bare, text }: Statement): RowChange | undefined {
  if (/^do\b/i.test(bare)) return changeOfBlock(text);
  if (/^(create|alter|drop)\b/i.test(bare)) return changeOfDefinition(bare);
  const [, copied] = COPY.exec(bare) ?? [];
  if (copied) return changeOf(bare, [copied]);
  if (/^copy\b(?!\s*\()/i.test(bare)) return /\bfrom\b/i.test(bare) ? 'any' : undefined;
  if (HARMLESS.test(bare)) return undefined;
  if (WRITES.test(bare) || /^truncate\b[\s\S]*(,|\bcascade\b)/i.test(bare)) return 'any';
  const targets = targetsOf(bare);
  if (targets === 'any') return 'any';
  if (targets.length > 0) return changeOf(bare, targets);
  // `set_config` is what dumps begin with.
  if (/^(select|values|table)\b/i.test(bare)) {
    return CALLS.test(bare.replace(/\bset_config\s*\(/gi, '')) ? 'any' : changeOf(bare, []);
  }
  return 'any';
}

/**
 * A name as the catalogue has it, without its schema: PostgreSQL folds the ASCII letters of what stands in no quotes.
 *
 * @param name As a statement writes it.
 */
export function folded(name: string): string {
  const last = new RegExp(`${WORD}$`, 'i').exec(name)?.[0] ?? name;
  if (last.startsWith('"')) return last.slice(1, -1).replaceAll('""', '"');
  return last.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

const CREATED = new RegExp(
  String.raw`\bcreate\s+(?:(?:or\s+replace|global|local|temp|temporary|unlogged|foreign|materialized|recursive)\s+)*(table|view|function|procedure)\s+(?:if\s+not\s+exists\s+)?(${NAME})`,
  'gi',
);

/** What statements create: names as the catalogue has them. */
export function createdBy(statements: readonly Statement[]): { tables: Set<string>; functions: Set<string> } {
  const made = { tables: new Set<string>(), functions: new Set<string>() };
  for (const { bare } of statements)
    for (const [, kind = '', name = ''] of bare.matchAll(CREATED))
      (/^(table|view)$/i.test(kind) ? made.tables : made.functions).add(folded(name));
  return made;
}

const changeOf = (bare: string, tables: string[]): RowChange => ({
  tables,
  words: [...new Set(Array.from(bare.matchAll(new RegExp(WORD, 'gi')), ([word]) => folded(word)))],
});

/** The target after every word that changes rows; `any` if one of them cannot be read. */
function targetsOf(bare: string): string[] | 'any' {
  const code = bare.replace(NO_VERB, ' ');
  const targets: string[] = [];
  for (const { 0: verb, index } of code.matchAll(VERB)) {
    TARGET.lastIndex = index + verb.length;
    const [, name] = TARGET.exec(code) ?? [];
    if (name === undefined) return 'any';
    targets.push(name);
  }
  return targets;
}

function changeOfBlock(text: string): RowChange | undefined {
  const [, , body] = BLOCK.exec(text.replace(/^(?:\s|--[^\n]*\n)+/, '')) ?? [];
  if (body === undefined) return 'any';
  const found = { tables: new Set<string>(), words: new Set<string>() };
  for (const { bare, ...one } of splitStatements(body)) {
    if (CALLS_IN_BLOCK.test(bare)) return 'any';
    const own = bare.replace(BEGINS_BLOCK, '');
    const change = own === '' ? undefined : rowChange({ ...one, bare: own });
    if (change === 'any') return 'any';
    for (const table of change?.tables ?? []) found.tables.add(table);
    for (const word of change?.words ?? []) found.words.add(word);
  }
  return found.tables.size > 0 ? { tables: [...found.tables], words: [...found.words] } : undefined;
}

function changeOfDefinition(bare: string): RowChange | undefined {
  const [, dropped] = DROP.exec(bare) ?? [];
  if (dropped) return changeOf(bare, dropped.match(new RegExp(NAME, 'gi')) ?? []);
  // What cascades takes columns along: those of a type, those that a function computes.
  if (/^drop\s+(table|schema|owned)\b|^drop\b[\s\S]*\bcascade$/i.test(bare)) return 'any';
  // A sequence that begins again gives out keys that are taken.
  if (/^alter\s+(sequence|table)\b[\s\S]*\brestart\b/i.test(bare)) return 'any';
  if (!/^alter\s+table\b/i.test(bare) || !TAKES_VALUES.test(bare)) return undefined;
  const [, altered] = ALTERED.exec(bare) ?? [];
  return altered ? changeOf(bare, [altered]) : 'any';
}
