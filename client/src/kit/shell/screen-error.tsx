import type { ErrorComponentProps } from '@tanstack/react-router';
import { ErrorState } from '@/kit/components/error-state.tsx';
import { useTitle } from '@/kit/lib/use-title.ts';

/** A screen that threw: says so in its place, while the shell around it goes on. */
export function ScreenError({ error, reset }: ErrorComponentProps) {
  useTitle('Error');
  return <ErrorState error={error} onRetry={reset} />;
}
