import { type State, StateBadge, StateMark } from '@/kit/components/state-badge.tsx';
import { type Connection, useConnection } from '@/kit/lib/connection.ts';

/** The server's state as a mark and a word. */
export function stateOf({ reachable, status }: Connection): { state: State; word: string } {
  if (!reachable) return { state: 'failing', word: 'Unreachable' };
  if (!status) return { state: 'waiting', word: 'Asking' };
  if (status.state === 'draining' || status.state === 'stopped')
    return { state: 'draining', word: 'Draining' };
  if (status.problem) return { state: 'failing', word: 'Not ready' };
  if (status.state === 'ready') return { state: 'ready', word: 'Ready' };
  return { state: 'waiting', word: status.state === 'migrating' ? 'Migrating' : 'Starting' };
}

/** The server's state in the sidebar; on tablets the mark only. Phones show it on the home screen. */
export function ServerState() {
  const { state, word } = stateOf(useConnection());
  return (
    <p className="flex h-8 items-center max-md:hidden lg:px-3" title={`Server: ${word}`}>
      <span className="sr-only">Server: </span>
      <span className="lg:hidden">
        <StateMark state={state} />
        <span className="sr-only">{word}</span>
      </span>
      <span className="max-lg:hidden">
        <StateBadge state={state}>{word}</StateBadge>
      </span>
    </p>
  );
}
