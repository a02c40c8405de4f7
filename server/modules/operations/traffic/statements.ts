/** Of a statement that is shown, in characters. */
const MAX_STATEMENT = 500;

/**
 * What stands in a statement besides its words, from left to right, because each kind may hold what looks like another:
 * comments, dollar-quoted text, text with escapes, text, names in quotes, numbers.
 */
const PARTS =
  /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\$([A-Za-z_]\w*)?\$[\s\S]*?(?:\$\1\$|$)|\b[eE]'(?:[^'\\]|''|\\[\s\S])*(?:'|$)|'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|(?<![\w$])\d+(?:\.\d+)?(?!\w)/g;

/** A statement as it may be shown: values and remarks that somebody wrote into its text are left out. */
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
