import type { ReactNode } from 'react';
import { ago } from '@/kit/lib/format.ts';
import { Button } from './button.tsx';
import { Field } from './field.tsx';
import { Icon } from './icon.tsx';

interface Props {
  /** What it is: "note". */
  noun: string;
  /** The fields to show, in order. */
  fields: readonly { name: string; label: string; multiline?: boolean }[];
  /** The newer version on the server. */
  theirs: object;
  /** What stands here. */
  mine: object;
  onEdit: (change: Record<string, string>) => void;
  onKeepMine: () => void;
  onTakeTheirs: () => void;
}

const text = (record: object, name: string) => String(record[name as keyof object] ?? '');

/** Two people changed one field: shows both versions, lets mine be completed from theirs, and one of them stay. */
export function Conflict({ noun, fields, theirs, mine, onEdit, onKeepMine, onTakeTheirs }: Props) {
  const rows = fields.length + 2;
  const at = text(theirs, 'updatedAt');
  return (
    <div className="pb-8">
      <div
        role="alert"
        className="mb-6 flex items-start gap-2 rounded-md border border-degraded bg-surface px-3 py-2 text-sm"
      >
        <Icon name="alert" className="mt-0.5 size-4 text-degraded" />
        <p>
          <strong className="font-medium">
            Another person saved this {noun}
            {at && ` ${ago(at)}`}.
          </strong>{' '}
          Nothing is lost: both versions are here. Lines that only theirs has are marked; copy what you need
          into yours, then choose.
        </p>
      </div>
      <div className="grid gap-x-6 gap-y-3 xl:grid-cols-2">
        <Version name="Theirs" note="on the server" rows={rows}>
          {fields.map(({ name, label, multiline }) => (
            <div key={name} className="flex flex-col">
              <p className="mb-1.5 text-sm font-medium">{label}</p>
              <Marked text={text(theirs, name)} beside={text(mine, name)} isLong={multiline} />
            </div>
          ))}
          <Button variant="outline" className="mt-1 w-full" onClick={onTakeTheirs}>
            Take theirs, discard mine
          </Button>
        </Version>
        <Version name="Yours" note="not saved yet" rows={rows}>
          {fields.map(({ name, label, multiline = false }) => (
            <Field
              key={name}
              label={label}
              multiline={multiline}
              className="flex flex-col [&_textarea]:min-h-64 [&_textarea]:grow"
              value={text(mine, name)}
              onChange={({ target }) => onEdit({ [name]: target.value })}
            />
          ))}
          <Button className="mt-1 w-full" onClick={onKeepMine}>
            Save mine over theirs
          </Button>
        </Version>
      </div>
    </div>
  );
}

/** A text of theirs; the lines that mine does not have are marked. */
function Marked({ text, beside, isLong = false }: { text: string; beside: string; isLong?: boolean }) {
  const known = new Set(beside.split('\n'));
  const lines = text.split('\n').map((line, place) => ({ place, line }));
  return (
    <div
      className={`grow rounded-md border wrap-anywhere whitespace-pre-wrap ${isLong ? 'min-h-64 py-2' : 'grid min-h-9 items-center pointer-coarse:min-h-11 max-md:min-h-11'}`}
    >
      {lines.map(({ place, line }) =>
        known.has(line) ? (
          <p key={place} className="min-h-6 px-3">
            {line}
          </p>
        ) : (
          <ins key={place} className="block min-h-6 border-l-2 border-accent bg-selected px-2.5 no-underline">
            {line}
          </ins>
        ),
      )}
    </div>
  );
}

/** A column. Its rows are those of the columns' grid, so that the fields of both stand in line. */
const Version = ({
  name,
  note,
  rows,
  children,
}: {
  name: string;
  note: string;
  rows: number;
  children: ReactNode;
}) => (
  <section
    aria-label={`${name}, ${note}`}
    className="grid content-start gap-y-3 max-xl:mb-6 xl:grid-rows-subgrid"
    style={{ gridRow: `span ${rows}` }}
  >
    <h2 className="text-base">
      {name} <span className="text-sm font-normal text-muted">{note}</span>
    </h2>
    {children}
  </section>
);
