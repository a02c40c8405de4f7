/** The theme's four states, and `waiting`, which has no colour. */
export type State = 'ready' | 'degraded' | 'failing' | 'draining' | 'waiting';

const COLOURS: Record<State, string> = {
  ready: 'text-ready',
  degraded: 'text-degraded',
  failing: 'text-failing',
  draining: 'text-draining',
  waiting: 'text-muted',
};

/** A shape for each state, so that it can be read without colour: disc, triangle, cross, arrow, ring. */
export function StateMark({ state }: { state: State }) {
  return (
    <svg
      viewBox="0 0 12 12"
      width="12"
      height="12"
      className={`size-3 shrink-0 ${COLOURS[state]}`}
      aria-hidden="true"
    >
      {state === 'ready' && <circle cx="6" cy="6" r="4" fill="currentColor" />}
      {state === 'degraded' && <path d="M6 1.5 11 10.5H1z" fill="currentColor" />}
      {state === 'failing' && (
        <path d="m2.5 2.5 7 7m0-7-7 7" stroke="currentColor" strokeWidth="2.5" strokeLinecap="round" />
      )}
      {state === 'draining' && (
        <path
          d="M6 1.5v8M2.5 6 6 9.8 9.5 6"
          fill="none"
          stroke="currentColor"
          strokeWidth="2"
          strokeLinecap="round"
          strokeLinejoin="round"
        />
      )}
      {state === 'waiting' && (
        <circle cx="6" cy="6" r="3.5" fill="none" stroke="currentColor" strokeWidth="1.5" className="pulse" />
      )}
    </svg>
  );
}

/** A state as a shape and a word. */
export function StateBadge({ state, children }: { state: State; children: string }) {
  return (
    <span className={`inline-flex items-center gap-1.5 text-sm font-medium ${COLOURS[state]}`}>
      <StateMark state={state} />
      {children}
    </span>
  );
}
