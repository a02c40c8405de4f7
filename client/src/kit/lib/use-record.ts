import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type ChangeEvent, useEffect, useSyncExternalStore } from 'react';
import { explain, statusOf } from './api.ts';
import { autosaveOf, firstError, isConflict } from './autosave.ts';
import { useConnection } from './connection.ts';
import type { Values } from './form-rules.ts';
import type { Entity, Id, Records } from './records.ts';

/** What `SaveStatus` says: `problem` is what the person has to know, and undefined while all is well. */
export interface SaveState {
  readonly isDirty: boolean;
  readonly problem: string | undefined;
  /** The problem is only that it has to wait: the text is safe in the browser. */
  readonly isKept: boolean;
  /** Sends the draft again; undefined where nothing but an edit helps. */
  readonly retry: (() => void) | undefined;
}

/**
 * One record to read and to edit. It saves itself a second after typing stops, and when it is left. What cannot be sent is
 * kept in the browser and sent later. If another person changed the same field, `conflict` has both versions.
 *
 * @param id As in the address. An id that cannot exist is reported as `isGone` by the server's answer.
 */
export function useRecord<Whole extends Entity>(
  // biome-ignore lint/suspicious/noExplicitAny: rows, filter and new records do not matter here
  records: Records<any, Whole, any, any>,
  id: Id,
) {
  const client = useQueryClient();
  const { reachable } = useConnection();
  const { data: record, error, refetch } = useQuery(records.readQuery(id));
  const autosave = autosaveOf(records, client, id);
  const { draft, error: failure, isStored } = useSyncExternalStore(autosave.subscribe, autosave.state);
  useEffect(() => () => void autosave.flush(), [autosave]);

  const values = record && ({ ...record, ...draft?.change } as Whole);
  const conflict = draft && record && isConflict(records, draft, record) ? record : undefined;
  const invalid = draft && firstError(records, draft.change);
  const edit = (change: Values) => record && autosave.edit(record, change);

  let problem: string | undefined;
  if (conflict) problem = 'Not saved: another person changed it.';
  else if (invalid) problem = `Not saved: ${invalid.message}`;
  else if (draft && !reachable)
    problem = isStored
      ? 'Offline. Saved in this browser; it will be sent when the server is back.'
      : 'Offline. Keep this tab open: it will be sent when the server is back.';
  else if (draft && failure !== undefined) {
    const { title, detail } = explain(failure);
    problem = `Not saved: ${detail ?? title}`;
  }
  const retry = failure === undefined || conflict || invalid || !reachable ? undefined : autosave.flush;

  return {
    records,
    id,
    /** The record on the server; undefined while it is read. */
    record,
    /** The record with what was typed. */
    values,
    error,
    refetch,
    isGone: statusOf(error) === 404 || statusOf(error) === 400,
    save: {
      isDirty: draft !== undefined,
      problem,
      isKept: isStored && !reachable,
      retry,
    } satisfies SaveState as SaveState,
    /** The newer version on the server, while another person's change stands against this draft. */
    conflict,
    edit,
    /** Saves now instead of in a second. */
    flush: autosave.flush,
    keepMine: () => record && autosave.keepMine(record),
    takeTheirs: () => autosave.discard(),
    /** Props of the text box for one field: its value and the rules of the contract. */
    field(name: Extract<keyof Whole, string>) {
      const rules = records.fields.properties[name];
      return {
        name,
        value: String(values?.[name] ?? ''),
        maxLength: rules?.maxLength,
        'aria-invalid': invalid?.name === name || undefined,
        onChange: ({ target }: ChangeEvent<HTMLInputElement | HTMLTextAreaElement>) =>
          edit({ [name]: target.value }),
      };
    },
  };
}
