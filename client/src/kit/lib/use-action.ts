import { useState } from 'react';

/**
 * The state of a button's action. `run` starts it; `failure` is its last error, until the next run.
 *
 * @param act May reject: `run` does not.
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
