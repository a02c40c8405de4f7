import { useState } from 'react';

/**
 * What a button does: `run` begins it, and `failure` is why it did not work, until the next try.
 *
 * @param act Its rejection is the failure.
 */
export function useAction(act: () => unknown) {
  const [state, setState] = useState<'pending' | 'done'>();
  const [failure, setFailure] = useState<unknown>();
  const run = async () => {
    setState('pending');
    setFailure(undefined);
    try {
      await act();
      setState('done');
    } catch (error) {
      setState(undefined);
      setFailure(error);
    }
  };
  const clearFailure = () => setFailure(undefined);
  return { isPending: state === 'pending', isDone: state === 'done', failure, run, clearFailure };
}
