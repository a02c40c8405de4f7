import type { ErrorComponentProps } from '@tanstack/react-router';
import { ErrorState } from '@/kit/components/error-state.tsx';
import { useTitle } from '@/kit/lib/use-title.ts';

/** Shown in place of a screen that threw; the shell around it keeps working. */
export function ScreenError({ error, reset }: ErrorComponentProps) {
  useTitle('Error');
  return <ErrorState error={error} onRetry={reset} />;
}
