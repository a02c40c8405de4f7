import { type ComponentProps, lazy, Suspense, useEffect } from 'react';
import { loadPart } from '@/kit/lib/deployment.ts';
import type { FormState } from '@/kit/lib/use-form.ts';
import { ErrorNote } from './error-state.tsx';

const loadQuestion = () => loadPart(() => import('./confirm-leave.tsx'));
const ConfirmLeave = lazy(async () => ({ default: (await loadQuestion()).ConfirmLeave }));

/** The form of `useForm`. An error that belongs to no field is shown at its end; leaving with unsaved text asks first. */
export function Form({
  of,
  children,
  ...rest
}: Omit<ComponentProps<'form'>, 'onSubmit'> & { of: FormState }) {
  const { form, failure, isGuarded, leaving } = of;
  useEffect(() => {
    // Before it is needed, because it must also work while the server is away.
    if (isGuarded) void loadQuestion();
  }, [isGuarded]);
  return (
    <form {...form} {...rest}>
      {children}
      {failure !== undefined && <ErrorNote error={failure} />}
      {leaving && (
        <Suspense>
          <ConfirmLeave {...leaving} />
        </Suspense>
      )}
    </form>
  );
}
