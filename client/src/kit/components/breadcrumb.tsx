import { Link } from '@tanstack/react-router';
import { Fragment } from 'react';
import { Icon } from './icon.tsx';

/** The path to this screen. The last item is the screen itself and has no `to`. */
export const Breadcrumb = ({ items }: { items: { label: string; to?: string }[] }) => (
  <nav aria-label="Breadcrumb">
    <ol className="-ml-1 flex flex-wrap items-center gap-1 text-sm text-muted">
      {items.map(({ label, to }, index) => (
        <Fragment key={label}>
          {index > 0 && (
            <li aria-hidden="true">
              <Icon name="chevronRight" className="size-3.5" />
            </li>
          )}
          <li className="min-w-0">
            {to === undefined ? (
              <span aria-current="page" className="block truncate px-1 text-text">
                {label}
              </span>
            ) : (
              <Link
                to={to}
                // A screen above this one is not the current page.
                activeOptions={{ exact: true }}
                className="inline-flex min-h-6 items-center rounded-md px-1 hover:text-text pointer-coarse:min-h-11 max-md:min-h-11"
              >
                {label}
              </Link>
            )}
          </li>
        </Fragment>
      ))}
    </ol>
  </nav>
);
