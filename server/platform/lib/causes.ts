/** How many causes are followed: an error may be its own cause. */
const MAX_DEPTH = 5;

/** An error, then its cause, then the cause of that, and so on; nothing for what is no error. */
export function* causesOf(error: unknown): Generator<Error> {
  for (let depth = 0; error instanceof Error && depth < MAX_DEPTH; depth++, error = error.cause) yield error;
}

/** The first of an error and its causes that is of a class: drizzle wraps what the driver throws. */
export function findCause<Type extends Error>(
  error: unknown,
  // biome-ignore lint/suspicious/noExplicitAny: whatever its constructor takes.
  type: new (...parameters: any[]) => Type,
): Type | undefined {
  for (const cause of causesOf(error)) if (cause instanceof type) return cause;
  return undefined;
}
