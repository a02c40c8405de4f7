import { Link, type LinkProps, useNavigate } from '@tanstack/react-router';
import { lazy, type ReactNode, Suspense } from 'react';
import { loadPart } from '@/kit/lib/deployment.ts';
import type { AnyRecords, Entity, Id } from '@/kit/lib/records.ts';
import { useShortcut } from '@/kit/lib/shortcut.ts';
import { useDelete, useRestore } from '@/kit/lib/use-changes.ts';
import type { useRecord } from '@/kit/lib/use-record.ts';
import { useTitle } from '@/kit/lib/use-title.ts';
import { Button, buttonVariants, IconButton } from './button.tsx';
import { ErrorState } from './error-state.tsx';
import { Icon } from './icon.tsx';
import { SaveStatus } from './save-status.tsx';
import { Skeleton } from './skeleton.tsx';

const Conflict = lazy(async () => ({ default: (await loadPart(() => import('./conflict.tsx'))).Conflict }));

interface Props<Whole extends Entity & { updatedAt: string }> {
  /** What it is, and the list it belongs to: "note", "Notes". */
  noun: string;
  listName: string;
  back: LinkProps;
  of: ReturnType<typeof useRecord<Whole>>;
  /** The fields, as a conflict shows them. */
  fields: readonly { name: string; label: string; multiline?: boolean }[];
  /** The editor. */
  children: ReactNode;
}

/**
 * One record of `useRecord` with the way back, what became of its text, and its deletion. It shows the editor, or what
 * stands in its place: loading, a failure, a record that is gone, or a conflict. `Esc` leaves the text, then the record.
 */
export function RecordPane<Whole extends Entity & { updatedAt: string }>(props: Props<Whole>) {
  const { noun, listName, back, of, fields, children } = props;
  const { records, id, record, values, conflict } = of;
  const navigate = useNavigate();
  const remove = useDelete(records);
  const title = record
    ? records.titleOf(records.rowOf(record))
    : `${noun.charAt(0).toUpperCase()}${noun.slice(1)}`;
  useTitle(title);
  useShortcut('mod+s', () => void of.flush());
  useShortcut('Escape', () => void navigate(back));

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys typed in the boxes, heard in one place
    <div
      key={id}
      tabIndex={-1}
      data-focus
      className="mx-auto flex min-h-full max-w-3xl flex-col px-4 pb-16 md:px-8"
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !(event.target as Element).matches('input, textarea')) return;
        event.preventDefault();
        event.currentTarget.focus();
      }}
    >
      {/* On phones the list is out of sight, and its heading with it: the record is what the page is about. */}
      <h1 className="sr-only md:hidden">{title}</h1>
      {!record || !values ? (
        of.isGone ? (
          <Gone records={records} id={id} noun={noun} listName={listName} back={back} />
        ) : of.error ? (
          <ErrorState error={of.error} onRetry={of.refetch} />
        ) : (
          <Loading />
        )
      ) : (
        <>
          <div className="sticky top-0 z-[1] -mx-4 flex h-14 shrink-0 items-center gap-2 bg-background px-4 md:-mx-8 md:px-8">
            <Link {...back} className={`${buttonVariants({ variant: 'ghost' })} -ml-2 md:hidden`}>
              <Icon name="arrowLeft" />
              {listName}
            </Link>
            <SaveStatus of={of.save} at={record.updatedAt} />
            <IconButton
              icon="trash"
              label={`Delete this ${noun}`}
              onClick={() => {
                void navigate(back);
                remove.mutate(records.rowOf(record));
              }}
            />
          </div>
          {conflict ? (
            <Suspense fallback={<Loading />}>
              <Conflict
                noun={noun}
                fields={fields}
                theirs={conflict}
                mine={values}
                onEdit={of.edit}
                onKeepMine={of.keepMine}
                onTakeTheirs={of.takeTheirs}
              />
            </Suspense>
          ) : (
            children
          )}
        </>
      )}
    </div>
  );
}

interface GoneProps {
  records: AnyRecords;
  id: Id;
  noun: string;
  listName: string;
  back: LinkProps;
}

function Gone({ records, id, noun, listName, back }: GoneProps) {
  const restore = useRestore(records);
  return (
    <div className="py-12">
      <h2 className="text-lg">This {noun} does not exist</h2>
      <p className="mt-1 mb-4 text-muted">
        It may have been deleted. A deleted {noun} can be restored for a day.
      </p>
      <div className="flex flex-wrap gap-2">
        <Button variant="outline" onClick={() => restore(id)}>
          Restore it
        </Button>
        <Link {...back} className={buttonVariants()}>
          All {listName.toLowerCase()}
        </Link>
      </div>
    </div>
  );
}

const Loading = () => (
  <div aria-busy="true" className="space-y-4 pt-18">
    <Skeleton className="h-7 w-1/2" />
    <Skeleton className="h-4 w-full" />
    <Skeleton className="h-4 w-5/6" />
    <Skeleton className="h-4 w-2/3" />
  </div>
);
