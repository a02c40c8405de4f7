/** Maximum length of a statement, in characters. */
const MAX_STATEMENT = 500;

/**
 * Comments, dollar-quoted strings, strings with escapes, strings, quoted identifiers and numbers. One expression matches all of
 * them from left to right, because each kind may contain text that looks like another.
 */
const PARTS =
  /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\$([A-Za-z_]\w*)?\$[\s\S]*?(?:\$\1\$|$)|\b[eE]'(?:[^'\\]|''|\\[\s\S])*(?:'|$)|'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|(?<![\w$])\d+(?:\.\d+)?(?!\w)/g;

/** Removes comments from a statement, and replaces values by `?`. */
export function withoutValues(text: string): string {
  return text
    .slice(0, 4 * MAX_STATEMENT)
    .replace(PARTS, (part) => {
      if (part.startsWith('"')) return part;
      return part.startsWith('--') || part.startsWith('/*') ? ' ' : '?';
    })
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, MAX_STATEMENT);
}
