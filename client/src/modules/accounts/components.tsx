import type { UseQueryResult } from '@tanstack/react-query';
import { type ReactElement, type ReactNode, useState } from 'react';
import type { Static, TUnsafe } from 'typebox';
import { Button } from '@/kit/components/button.tsx';
import { Card } from '@/kit/components/card.tsx';
import { Checkbox } from '@/kit/components/checkbox.tsx';
import { Dialog, DialogClose, DialogContent, DialogFooter, DialogTrigger } from '@/kit/components/dialog.tsx';
import { ErrorState } from '@/kit/components/error-state.tsx';
import { FieldRow } from '@/kit/components/field.tsx';
import { NotPermitted } from '@/kit/components/not-permitted.tsx';
import { Skeleton } from '@/kit/components/skeleton.tsx';
import { toast } from '@/kit/components/toast.tsx';
import { explain, statusOf } from '@/kit/lib/api.ts';
import type { BodySchema } from '@/kit/lib/form-rules.ts';
import type { BodyContract } from '@/kit/lib/use-form.ts';
import { TEXTS } from './texts.ts';

/** A card with a heading, and what it is for. */
export const Section = ({
  title,
  lead,
  action,
  children,
}: {
  title: string;
  lead?: ReactNode;
  action?: ReactNode;
  children?: ReactNode;
}) => (
  <Card className="px-5 py-4">
    <div className="flex min-h-9 items-center justify-between gap-4">
      <h2 className="text-base">{title}</h2>
      {action}
    </div>
    {lead && <p className="mt-1 max-w-prose text-sm text-muted">{lead}</p>}
    {children && <div className="mt-4">{children}</div>}
  </Card>
);

/** Data, or what stands in its place. */
export function Loaded<Data>({
  of: { data, error, refetch },
  children,
}: {
  of: Pick<UseQueryResult<Data>, 'data' | 'error' | 'refetch'>;
  children: (data: Data) => ReactNode;
}) {
  if (data !== undefined) return children(data);
  if (statusOf(error) === 403) return <NotPermitted detail={explain(error).detail ?? TEXTS.operatorsOnly} />;
  if (error) return <ErrorState error={error} onRetry={refetch} />;
  return (
    <div aria-busy="true" className="space-y-3 py-2">
      <Skeleton className="h-4 w-2/3" />
      <Skeleton className="h-4 w-1/2" />
      <Skeleton className="h-4 w-3/5" />
    </div>
  );
}

/** Things one below the other, each with what can be done about it. */
export const Rows = ({ label, children }: { label: string; children: ReactNode }) => (
  <ul aria-label={label} className="-mb-3 divide-y border-t">
    {children}
  </ul>
);
export const Row = ({
  title,
  detail,
  children,
}: {
  title: ReactNode;
  detail: ReactNode;
  children?: ReactNode;
}) => (
  <li className="flex flex-wrap items-center gap-x-4 gap-y-2 py-3">
    <div className="min-w-0 grow basis-48">
      <div className="flex flex-wrap items-center gap-2 font-medium wrap-anywhere">{title}</div>
      <div className="text-sm text-muted wrap-anywhere">{detail}</div>
    </div>
    {children && <div className="flex flex-wrap gap-2">{children}</div>}
  </li>
);

/**
 * A dialog in which something is done. It grows downwards, so that nothing moves when a message comes.
 *
 * @param props.children What is in it, given what closes it.
 */
export function ActDialog({
  trigger,
  title,
  lead,
  className = 'max-w-md',
  children,
}: {
  trigger: ReactElement;
  title: string;
  lead?: string;
  className?: string;
  children: (close: () => void) => ReactNode;
}) {
  const [isOpen, setOpen] = useState(false);
  return (
    <Dialog open={isOpen} onOpenChange={setOpen}>
      <DialogTrigger render={trigger} />
      <DialogContent title={title} description={lead} className={`mt-[12dvh] ${className}`}>
        {children(() => setOpen(false))}
      </DialogContent>
    </Dialog>
  );
}

/** Boxes by which some of several are chosen. */
export const Choices = ({
  of,
  chosen,
  onChange,
}: {
  of: { name: string; label: ReactNode; description?: string }[];
  chosen: string[];
  onChange: (names: string[]) => void;
}) =>
  of.map(({ name, label, description }) => (
    <FieldRow key={name} label={label} description={description}>
      <Checkbox
        checked={chosen.includes(name)}
        onCheckedChange={(isChecked) =>
          onChange(isChecked ? [...chosen, name] : chosen.filter((one) => one !== name))
        }
      />
    </FieldRow>
  ));

/** The foot of a form in a dialog. */
export const FormFooter = ({
  of,
  action,
  variant = 'default',
}: {
  of: { isSending: boolean };
  action: string;
  variant?: 'default' | 'destructive';
}) => (
  <DialogFooter>
    <DialogClose render={<Button variant="outline" />}>Cancel</DialogClose>
    {/* A name in it may be long. */}
    <Button
      type="submit"
      variant={variant}
      pending={of.isSending}
      className="max-w-full py-1.5 wrap-anywhere *:whitespace-normal"
    >
      {action}
    </Button>
  </DialogFooter>
);

/** Tells of what failed where no form is there to say it. */
export const tell = (error: unknown) => {
  const { title, detail } = explain(error);
  toast.error(detail ?? title);
};

/** Saves a text as a file. */
export function download(name: string, type: string, content: string) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

export const DownloadButton = ({ name, content }: { name: string; content: string }) => (
  <Button variant="outline" onClick={() => download(name, 'text/plain', content)}>
    Download
  </Button>
);

/**
 * Some fields of a route's body, for `useForm`: those that are plain. What else the body holds is added where it is sent.
 *
 * @param contract A route whose body is an object.
 */
export function fieldsOf<
  Route extends BodyContract,
  Name extends keyof Static<Route['schema']['body']> & string,
>(contract: Route, ...names: Name[]) {
  const { properties, required = [] } = contract.schema.body as unknown as BodySchema;
  const body = {
    properties: Object.fromEntries(names.map((name) => [name, properties[name]])),
    required: required.filter((name) => names.includes(name as Name)),
  };
  return { schema: { body } } as unknown as {
    schema: { body: TUnsafe<Pick<Static<Route['schema']['body']>, Name>> };
  };
}
