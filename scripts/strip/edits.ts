/** How a part is taken out of files that others share. Each edit deletes whole lines, so that no formatter is needed after. */

const IMPORT = /^import\b([^'"]*?)\bfrom\s*['"]([^'"]+)['"];?[ \t]*\n/gm;

/**
 * Takes parts out of a list such as `server/app.ts`: their imports, and every line that names what was imported.
 *
 * @param belongs Whether an import's specifier leads into a part that goes.
 */
export function withoutImports(code: string, belongs: (specifier: string) => boolean): string {
  const names: string[] = [];
  const rest = code.replace(IMPORT, (statement, clause: string, specifier: string) => {
    if (!belongs(specifier)) return statement;
    names.push(...namesIn(clause));
    return '';
  });
  if (names.length === 0) return rest;
  const named = new RegExp(`(?<![\\w$.])(?:${names.join('|').replaceAll('$', '\\$')})(?![\\w$])`);
  return withoutLines(rest, (line) => named.test(line));
}

/** `x`, `{ a, type b, c as d }` and `* as e` give x, a, b, d and e. */
const namesIn = (clause: string): string[] =>
  clause
    .replace(/[{}\n]/g, ' ')
    .split(',')
    .map((item) => item.trim().split(/\s+/).at(-1) ?? '')
    .filter((name) => name !== '' && name !== 'type');

export const withoutLines = (text: string, goes: (line: string) => boolean): string =>
  text
    .split('\n')
    .filter((line) => !goes(line))
    .join('\n');

/**
 * Takes a section out of a Markdown text: its heading, and what stands under it up to the next of its rank.
 *
 * @throws Error where there is no such heading.
 */
export function withoutSection(text: string, heading: string): string {
  const rank = /^#+/.exec(heading)?.[0].length ?? 0;
  const lines = text.split('\n');
  const from = lines.indexOf(heading);
  if (rank === 0 || from === -1) throw new Error(`There is no heading '${heading}'.`);
  let fenced = false;
  const length = lines.slice(from + 1).findIndex((line) => {
    if (line.startsWith('```')) fenced = !fenced;
    return !fenced && (/^#+(?= )/.exec(line)?.[0].length ?? Number.POSITIVE_INFINITY) <= rank;
  });
  lines.splice(from, length === -1 ? lines.length - from : length + 1);
  return lines.join('\n');
}

/** Takes keys such as `scripts.bench` out of a JSON text that is indented by two spaces. Keys that are not there are passed over. */
export function withoutKeys(json: string, keys: readonly string[]): string {
  const document = JSON.parse(json);
  for (const key of keys) {
    const [group = '', ...name] = key.split('.');
    if (document[group]) delete document[group][name.join('.')];
  }
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
