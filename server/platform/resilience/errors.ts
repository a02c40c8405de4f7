/** The dependency answered that the request is wrong: it works, so this is neither retried nor a failure of the dependency. */
export class DependencyRefusedError extends Error {
  override readonly name = 'DependencyRefusedError';
}

/** The call was not made: too many are under way, or the circuit breaker is open. */
export class DependencyUnavailableError extends Error {
  override readonly name = 'DependencyUnavailableError';
}

/** An attempt took longer than it may. */
export class DependencyTimeoutError extends Error {
  override readonly name = 'DependencyTimeoutError';
}

/**
 * Makes an error of an HTTP response that is none: 4xx is a refusal, but for 408 and 429, which a later attempt may turn.
 *
 * @returns The response, where its status is below 400.
 * @throws DependencyRefusedError or Error, without the body, which may hold anything.
 */
export function assertAnswered<R extends { status: number }>(response: R): R {
  const { status } = response;
  if (status < 400) return response;
  if (status < 500 && status !== 408 && status !== 429)
    throw new DependencyRefusedError(`answered ${status}`);
  throw new Error(`answered ${status}`);
}
