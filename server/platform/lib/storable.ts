/** In JSON, which escapes a surrogate only where it has no partner. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;

/**
 * Whether PostgreSQL's `jsonb` takes a document: it refuses NUL and halves of surrogate pairs.
 *
 * @param json As `JSON.stringify` writes it.
 */
export const isStorable = (json: string): boolean => !UNSTORABLE.test(json);
