import type { TrafficReport } from '#contracts/operations/traffic.ts';
import { Panel } from '@/kit/components/card.tsx';
import { Figure } from '@/kit/components/figure.tsx';
import { milliseconds, number, percent } from './units.ts';

/** The distribution of request durations: a bar per range. A list, so that screen readers can read it. */
export function Distribution({ performance: { distribution, total } }: { performance: TrafficReport }) {
  const last = distribution.findLastIndex(({ requests }) => requests > 0);
  const first = Math.max(
    0,
    distribution.findIndex(({ requests }) => requests > 0),
  );
  const shown = distribution.slice(first, last + 1);
  const most = Math.max(1, ...shown.map(({ requests }) => requests));
  return (
    <Panel
      title="How long requests took"
      note={total.requests === 0 ? 'No requests in this time.' : undefined}
    >
      {shown.length > 0 && (
        <ol className="rounded-md border bg-surface px-3 py-2">
          {shown.map(({ upToMs, requests }, index) => (
            <li
              // biome-ignore lint/suspicious/noArrayIndexKey: ranges have no id
              key={index}
              className="grid h-6 grid-cols-[5.5rem_minmax(0,1fr)_4.5rem] items-center gap-3 text-sm md:grid-cols-[6rem_minmax(0,1fr)_5rem_4.5rem]"
            >
              <span className="text-right text-muted tabular-nums">
                <span className="sr-only">up to </span>
                <Figure>{`≤ ${milliseconds(upToMs)}`}</Figure>
              </span>
              <span
                aria-hidden="true"
                className="h-3 rounded-md bg-chart-1"
                style={{
                  clipPath: `inset(0 ${100 - (99.5 * requests) / most - (requests > 0 ? 0.5 : 0)}% 0 0)`,
                }}
              />
              <span className="text-right tabular-nums">
                <Figure>{number(requests)}</Figure>
                <span className="sr-only"> requests</span>
              </span>
              <span className="text-right text-muted tabular-nums max-md:hidden">
                <Figure>{percent(total.requests && requests / total.requests)}</Figure>
              </span>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}
