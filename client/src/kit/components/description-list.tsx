import type { ReactNode } from 'react';

/** Terms and their values, in two columns, or one on narrow screens. */
export const DescriptionList = ({ items }: { items: [name: string, value: ReactNode][] }) => (
  <dl className="w-full divide-y text-sm">
    {items.map(([name, value]) => (
      <div key={name} className="grid gap-x-4 py-2 sm:grid-cols-[minmax(8rem,1fr)_2fr]">
        <dt className="text-muted">{name}</dt>
        <dd className="min-w-0 wrap-anywhere tabular-nums">{value}</dd>
      </div>
    ))}
  </dl>
);
