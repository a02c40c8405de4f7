import { type Statement, splitStatements } from '../sql-statements.ts';

/** Tables as a statement writes them; `any` where the statement does not say which. */
export type RowChange = string[] | 'any';

const NAME = String.raw`(?:"(?:[^"]|"")+"|[\w$]+)(?:\s*\.\s*(?:"(?:[^"]|"")+"|[\w$]+))?`;
const TARGET = new RegExp(
  String.raw`\b(?:insert\s+into|merge\s+into(?:\s+only)?|update(?:\s+only)?|delete\s+from(?:\s+only)?|truncate(?:\s+table)?(?:\s+only)?)\s+(${NAME})`,
  'gi',
);
const COPY = new RegExp(String.raw`^copy\s+(${NAME})[\s\S]*\bfrom\b`, 'i');
const DROP = new RegExp(
  String.raw`^drop\s+table\s+(?:if\s+exists\s+)?(${NAME}(?:\s*,\s*${NAME})*)\s*(?:cascade|restrict)?$`,
  'i',
);
const DROP_COLUMN = new RegExp(
  String.raw`^alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?(${NAME})[\s\S]*\b(?:drop\s+(?:column\b|(?!constraint\b|default\b|not\b|identity\b|expression\b))|type\b[\s\S]*\busing\b)`,
  'i',
);
/** Of the statements that are no DDL, those that leave rows and sequences alone. */
const HARMLESS =
  /^(analyze|begin|checkpoint|cluster|comment|commit|discard|end|grant|listen|lock|notify|reassign|refresh|reindex|reset|revoke|savepoint|security|set|show|start|unlisten|vacuum)\b/i;
/** What runs code that cannot be seen here. */
const CALLS = /^(call|execute)\b|\b(select|values|perform)\b[\s\S]*\(/i;
const CALLS_IN_BLOCK = /\b(call|execute|perform|select)\b/i;

/**
 * Which tables lose or gain rows, or get other values, where a statement runs. DDL that takes rows away counts as well.
 * @returns undefined for a statement that changes no rows.
 */
export function rowChange({ bare, text }: Statement): RowChange | undefined {
  if (/^do\b/i.test(bare)) return changeOfBlock(text);
  if (/^(create|alter|drop)\b/i.test(bare)) return changeOfDefinition(bare);
  const [, copied] = COPY.exec(bare) ?? [];
  if (copied) return [copied];
  if (HARMLESS.test(bare) || /^copy\b/i.test(bare)) return undefined;
  if (/^truncate\b[\s\S]*(,|\bcascade\b)/i.test(bare)) return 'any';
  const targets = targetsOf(bare);
  if (targets.length > 0) return targets;
  // `set_config` is what dumps begin with.
  if (/^(select|values|table)\b/i.test(bare)) {
    return CALLS.test(bare.replace(/\bset_config\s*\(/gi, '')) ? 'any' : undefined;
  }
  return 'any';
}

const targetsOf = (bare: string): string[] => [...bare.matchAll(TARGET)].map(([, name]) => name as string);

function changeOfBlock(text: string): RowChange | undefined {
  const body = /(\$(?:[a-z_]\w*)?\$)([\s\S]*)\1/i.exec(text)?.[2];
  if (body === undefined) return 'any';
  const bare = splitStatements(body)
    .map((one) => one.bare)
    .join(';\n');
  if (CALLS_IN_BLOCK.test(bare) || /\btruncate\b/i.test(bare)) return 'any';
  const targets = targetsOf(bare);
  return targets.length > 0 ? targets : undefined;
}

function changeOfDefinition(bare: string): RowChange | undefined {
  const [, dropped] = DROP.exec(bare) ?? [];
  if (dropped) return dropped.split(',').map((name) => name.trim());
  if (/^drop\s+schema\b/i.test(bare)) return 'any';
  // A sequence that begins again gives out keys that are taken.
  if (/^alter\s+(sequence|table)\b[\s\S]*\brestart\b/i.test(bare)) return 'any';
  const [, altered] = DROP_COLUMN.exec(bare) ?? [];
  return altered ? [altered] : undefined;
}
