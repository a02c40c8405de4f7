/**
 * Turns what a person types into a `tsquery`: every word must occur, and the last one may be the beginning of a word,
 * because it is still being typed.
 *
 * @param text Free text; only letters and digits count, so nothing of it is read as an operator.
 * @returns An expression for `to_tsquery('simple', …)`, or undefined when there is no word in it.
 */
export function toPrefixQuery(text: string): string | undefined {
  const words = text.match(/[\p{L}\p{M}\p{N}]+/gu)?.slice(0, 16);
  if (words === undefined) return undefined;
  // Quoted: to_tsquery would read a bare word as more than one lexeme in some languages.
  const quoted = words.map((word) => `'${word}'`);
  quoted[quoted.length - 1] += ':*';
  return quoted.join(' & ');
}
