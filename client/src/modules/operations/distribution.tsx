import type { TrafficReport } from '#contracts/operations/traffic.ts';
import { Empty } from '@/kit/components/empty.tsx';
import { Figure } from '@/kit/components/figure.tsx';
import { milliseconds, number, percent } from '@/kit/lib/format.ts';
import { NO_TRAFFIC } from './texts.ts';

/** How long requests took: a bar for each range. A list, so that screen readers read it. */
export function Distribution({ performance: { distribution, total } }: { performance: TrafficReport }) {
  const most = Math.max(...distribution.map(({ requests }) => requests));
  if (distribution.length === 0) return <Empty icon="pulse" title={NO_TRAFFIC} />;
  return (
    <ol className="rounded-md border bg-surface px-3 py-2">
      {distribution.map(({ upToMs, requests }, index) => (
        <li
          // biome-ignore lint/suspicious/noArrayIndexKey: a range has no other name than its place
          key={index}
          className="grid h-6 grid-cols-[5.5rem_minmax(0,1fr)_4.5rem] items-center gap-3 text-sm md:grid-cols-[6rem_minmax(0,1fr)_5rem_4.5rem]"
        >
          <span className="text-right text-muted">
            <span className="sr-only">up to </span>
            <Figure>{`≤ ${milliseconds(upToMs)}`}</Figure>
          </span>
          <span
            aria-hidden="true"
            className="h-3 rounded-md bg-chart-1"
            style={{ clipPath: `inset(0 ${100 - (99.5 * requests) / most - (requests > 0 ? 0.5 : 0)}% 0 0)` }}
          />
          <span className="text-right">
            <Figure>{number(requests)}</Figure>
            <span className="sr-only"> requests</span>
          </span>
          <span className="text-right text-muted max-md:hidden">
            <Figure>{percent(requests / total.requests)}</Figure>
          </span>
        </li>
      ))}
    </ol>
  );
}
