import { Link } from '@tanstack/react-router';
import { buttonVariants } from '@/kit/components/button.tsx';
import { ScreenHeading } from '@/kit/components/screen-heading.tsx';

/** No screen has this address. */
export function NotFound() {
  return (
    <div className="mx-auto max-w-md px-4 py-16">
      <p className="font-mono text-sm text-muted">404</p>
      <ScreenHeading title="There is nothing at this address" />
      <p className="mt-2 mb-6 text-muted">It may have moved, or the link has a typing mistake.</p>
      <Link to="/" className={buttonVariants()}>
        Go to the home screen
      </Link>
    </div>
  );
}
