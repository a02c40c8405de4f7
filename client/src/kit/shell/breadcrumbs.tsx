import { useRouter, useRouterState } from '@tanstack/react-router';
import { Breadcrumb } from '@/kit/components/breadcrumb.tsx';
import { crumbsOf } from './navigation.ts';

/** The way to this screen, where it is below another: `crumb` in its `staticData`. */
export function Breadcrumbs() {
  const router = useRouter();
  const path = useRouterState({ select: ({ resolvedLocation }) => resolvedLocation?.pathname ?? '/' });
  const crumbs = crumbsOf(router, path);
  if (crumbs.length === 0) return null;
  return (
    <div className="mx-auto max-w-screen-2xl px-4 pt-4 md:px-8">
      <Breadcrumb items={crumbs} />
    </div>
  );
}
