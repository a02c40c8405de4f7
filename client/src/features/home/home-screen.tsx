/**
 * YOURS: the home screen. Replace `Welcome` by your own. In development the first steps stand here until you delete
 * the lines that name them.
 */
import { Link, useRouter } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { buttonVariants } from '@/kit/components/button.tsx';
import { ScreenHeading } from '@/kit/components/screen-heading.tsx';
import { useIsDevelopment } from '@/kit/lib/connection.ts';
import { loadPart } from '@/kit/lib/deployment.ts';
import { navigationOf } from '@/kit/shell/navigation.ts';

const FirstSteps = lazy(async () => ({
  default: (await loadPart(() => import('@/kit/first-steps/first-steps.tsx'))).FirstSteps,
}));

export function HomeScreen() {
  const isDevelopment = useIsDevelopment();
  if (isDevelopment === undefined) return null;
  return isDevelopment ? (
    <Suspense>
      <FirstSteps />
    </Suspense>
  ) : (
    <Welcome />
  );
}

/** A placeholder: the name, and the screens that every visitor has. */
function Welcome() {
  const items = navigationOf(useRouter(), { isOperator: false }).filter(({ to }) => to !== '/');
  return (
    <div className="flex flex-col items-center px-4 pt-[28dvh] pb-16 text-center">
      <img src="/favicon.svg" alt="" width="48" height="48" className="mb-6" />
      <ScreenHeading title={import.meta.env.APP_NAME} className="text-2xl" />
      <p className="mt-2 mb-8 max-w-md text-muted">
        {items.length > 0 ? 'Welcome. Choose where to begin.' : 'Welcome. There is nothing here yet.'}
      </p>
      <div className="flex flex-wrap justify-center gap-3">
        {items.map(({ to, label }, index) => (
          <Link
            key={to}
            to={to}
            className={buttonVariants({ variant: index === 0 ? 'default' : 'outline', size: 'lg' })}
          >
            {label}
          </Link>
        ))}
      </div>
    </div>
  );
}
