/** Removes a part from shared files. Each edit deletes whole lines, so no formatting is needed afterwards. */

const IMPORT = /^import\b([^'"]*?)\bfrom\s*['"]([^'"]+)['"];?[ \t]*\n/gm;

/**
 * The part that an import belongs to, by its specifier; undefined if it belongs to none.
 */
export type PartOf = (specifier: string) => string | undefined;

/** An edit that would leave half a statement. */
export class HalfStatement extends Error {
  readonly line: number;
  readonly part: string;

  /** @param line From 1, in the file as it was. */
  constructor(line: number, part: string) {
    super(`line ${line} uses ${part} over several lines`);
    this.line = line;
    this.part = part;
  }
}

/**
 * Removes parts from a list such as `server/app.ts`: their imports, and every line that names an import or a variable made from it
 * (`const jobs = createJobs(…)`). A line that opens a bracket is removed with all lines up to the closing one.
 *
 * @throws HalfStatement if a removed line is not a complete statement or list item.
 */
export function withoutParts(code: string, partOf: PartOf, goes: (part: string) => boolean): string {
  const gone = partNames(code, partOf).filter(([, part]) => goes(part));
  const listed = code.replace(IMPORT, (statement, _, specifier: string) =>
    goes(partOf(specifier) ?? '') ? statement.replace(/.+/g, GONE) : statement,
  );
  return withoutStatements(listed, (bare) => gone.find(([name]) => names(bare, name))?.[1]);
}

/** Removes lines from code, each with all lines up to the bracket that closes it. @throws HalfStatement */
export const withoutCodeLines = (code: string, part: string, goes: (line: string) => boolean): string =>
  withoutStatements(code, (_, line) => (goes(line) ? part : undefined));

/** Replaces a removed line. */
const GONE = '\0';
/** A line that ends or begins like this belongs to its neighbour. */
const CONTINUES = /(?:[=?:+.]|&&|\|\||\breturn)\s*$/;
const CONTINUED = /^\s*(?:[.?:=+]|&&|\|\|)(?!\.\.)/;

function withoutStatements(code: string, partOn: (bare: string, line: string) => string | undefined): string {
  const lines = code.split('\n');
  const bare = lines.map(withoutTexts);
  for (let at = 0; at < lines.length; at++) {
    const part = lines[at] === GONE ? undefined : partOn(bare[at] ?? '', lines[at] ?? '');
    if (part === undefined) continue;
    const first = at;
    for (let open = 0; ; at++) {
      for (const one of bare[at] ?? '') {
        open += bracket(one);
        if (open < 0) throw new HalfStatement(at + 1, part);
      }
      lines[at] = GONE;
      if (open === 0) break;
      if (at + 1 >= lines.length) throw new HalfStatement(first + 1, part);
    }
    if (CONTINUES.test(bare[first - 1] ?? '') || CONTINUED.test(bare[at + 1] ?? ''))
      throw new HalfStatement(first + 1, part);
  }
  return lines.filter((line) => line !== GONE).join('\n');
}

/**
 * The dependencies between parts: the first part on a line receives the others on that line. An optional part is passed on a line of
 * its own.
 *
 * @returns Pairs of a part and a part that it needs.
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

/** Every name of a part: its imports, and the variables made from them. */
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

/** Matches a name, also after a spread (`...name`), but not as a property or key. */
const mention = (name: string) =>
  new RegExp(`(?<![\\w$])(?<!(?<!\\.\\.)\\.)${name.replaceAll('$', '\\$')}(?![\\w$]|:)`);
const names = (line: string, name: string) => mention(name).test(line);

/** A line without strings and comments. */
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
 * Removes a section from a Markdown text: its heading, and everything up to the next heading of the same rank. A text without that
 * heading is unchanged: the page may have been rewritten.
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

/** Removes keys such as `scripts.bench` from a JSON text with an indent of two spaces. Missing keys are ignored. */
export function withoutKeys(json: string, keys: readonly string[]): string {
  const document = JSON.parse(json);
  for (const key of keys) {
    const [group = '', ...name] = key.split('.');
    if (document[group]) delete document[group][name.join('.')];
  }
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
