/** How a part is taken out of files that others share. Each edit deletes whole lines, so that no formatter is needed after. */

const IMPORT = /^import\b([^'"]*?)\bfrom\s*['"]([^'"]+)['"];?[ \t]*\n/gm;

/**
 * Which part an import belongs to, by its specifier; undefined for what belongs to none.
 */
export type PartOf = (specifier: string) => string | undefined;

/**
 * Takes parts out of a list such as `server/app.ts`: their imports, and every line that names what was imported or what was
 * made of it (`const jobs = createJobs(…)`). A line that opens a bracket goes with all lines up to its end.
 */
export function withoutParts(code: string, partOf: PartOf, goes: (part: string) => boolean): string {
  const lines = code
    .replace(IMPORT, (statement, _, specifier: string) => (goes(partOf(specifier) ?? '') ? '' : statement))
    .split('\n');
  const gone = partNames(code, partOf).filter(([, part]) => goes(part));
  let open = 0;
  return lines
    .filter((line) => {
      const bare = withoutTexts(line);
      if (open === 0 && !gone.some(([name]) => names(bare, name))) return true;
      open = Math.max(0, open + [...bare].reduce((depth, one) => depth + bracket(one), 0));
      return false;
    })
    .join('\n');
}

/**
 * What parts need of each other, as a list says it: who stands first on a line is handed the others of that line. What may be
 * missing is handed over on a line of its own.
 *
 * @returns Pairs of a part and one that it needs.
 */
export function needsIn(code: string, partOf: PartOf): [part: string, need: string][] {
  const known = partNames(code, partOf);
  return code
    .replace(IMPORT, '')
    .split('\n')
    .flatMap((line) => {
      const bare = withoutTexts(line).replace(DECLARATION, '');
      const found = known
        .map(([name, part]) => ({ part, at: bare.search(mention(name)) }))
        .filter(({ at }) => at !== -1)
        .sort((one, other) => one.at - other.at);
      const [first, ...others] = [...new Set(found.map(({ part }) => part))];
      return first === undefined ? [] : others.map((need): [string, string] => [first, need]);
    });
}

const DECLARATION = /^\s*(?:const|let)\s+(\w+|\{[^}]*\})\s*=/;

/** Every name of a part: what is imported from it, and what is made of that. */
function partNames(code: string, partOf: PartOf): [name: string, part: string][] {
  const found: [string, string][] = [];
  const rest = code.replace(IMPORT, (_, clause: string, specifier: string) => {
    const part = partOf(specifier);
    if (part !== undefined) for (const name of namesIn(clause)) found.push([name, part]);
    return '';
  });
  for (const line of rest.split('\n')) {
    const bare = withoutTexts(line);
    const [declaration, declared] = DECLARATION.exec(bare) ?? [];
    if (declaration === undefined || declared === undefined) continue;
    const [maker] = found
      .map(([name, part]) => ({ part, at: bare.slice(declaration.length).search(mention(name)) }))
      .filter(({ at }) => at !== -1)
      .sort((one, other) => one.at - other.at);
    if (maker) for (const name of namesIn(declared)) found.push([name, maker.part]);
  }
  return found;
}

/** A property or a key of that name is something else; what is spread (`...name`) is not. */
const mention = (name: string) =>
  new RegExp(`(?<![\\w$])(?<!(?<!\\.\\.)\\.)${name.replaceAll('$', '\\$')}(?![\\w$]|:)`);
const names = (line: string, name: string) => mention(name).test(line);

/** A line without its texts and comments. */
const withoutTexts = (line: string) =>
  line.replace(/'[^']*'|"[^"]*"|`[^`]*`/g, "''").replace(/\/\/.*$|\/\*.*?\*\/|^\s*\/?\*.*$/g, '');

const bracket = (character: string) => ('([{'.includes(character) ? 1 : ')]}'.includes(character) ? -1 : 0);

/** `x`, `{ a, type b, c as d }` and `* as e` give x, a, b, d and e. */
const namesIn = (clause: string): string[] =>
  clause
    .replace(/[{}\n]/g, ' ')
    .split(',')
    .map((item) => item.trim().split(/:?\s+/).at(-1) ?? '')
    .filter((name) => name !== '' && name !== 'type');

export const withoutLines = (text: string, goes: (line: string) => boolean): string =>
  text
    .split('\n')
    .filter((line) => !goes(line))
    .join('\n');

/**
 * Takes a section out of a Markdown text: its heading, and what stands under it up to the next of its rank. A text without
 * that heading stays as it is: the page may have been rewritten.
 */
export function withoutSection(text: string, heading: string): string {
  const rank = /^#+/.exec(heading)?.[0].length ?? 0;
  const lines = text.split('\n');
  const from = lines.indexOf(heading);
  if (from === -1) return text;
  let fenced = false;
  const length = lines.slice(from + 1).findIndex((line) => {
    if (line.startsWith('```')) fenced = !fenced;
    return !fenced && (/^#+(?= )/.exec(line)?.[0].length ?? Number.POSITIVE_INFINITY) <= rank;
  });
  if (length !== -1) lines.splice(from, length + 1);
  else lines.splice(Math.max(0, from - 1), lines.length - from);
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
