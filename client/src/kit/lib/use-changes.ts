import { useMutation, useQueryClient } from '@tanstack/react-query';
import { toast } from '@/kit/components/toast.tsx';
import { explain } from './api.ts';
import { autosaveOf } from './autosave.ts';
import type { AnyRecords, Entity, Id, Records } from './records.ts';

/** Creates a record. It stands in the lists when the server has it, because the server may refuse it. */
export function useCreate<New, Whole extends Entity>(
  // biome-ignore lint/suspicious/noExplicitAny: rows and filter do not matter here
  records: Records<any, Whole, New, any>,
) {
  const client = useQueryClient();
  return useMutation({ mutationFn: (body: New) => records.create(client, body) });
}

/** Brings a deleted record back. A failure is shown, with the way to try again. */
export function useRestore(records: AnyRecords) {
  const client = useQueryClient();
  return async function restore(id: Id): Promise<void> {
    try {
      await records.restore(client, id);
      await autosaveOf(records, client, id).flush();
    } catch (error) {
      const { title, detail } = explain(error);
      toast.error(detail ?? title, { action: { label: 'Try again', onClick: () => restore(id) } });
    }
  };
}

/**
 * Deletes a record, unless another person has changed it since it was shown, and offers to undo it. Its row leaves the
 * lists at once. Text that is not saved yet is saved first, so that undoing brings it back too.
 */
export function useDelete<Row extends Entity>(records: AnyRecords<Row>) {
  const client = useQueryClient();
  const restore = useRestore(records);
  return useMutation({
    mutationFn: async (row: Row) => {
      await autosaveOf(records, client, row.id).flush();
      const version = client.getQueryData(records.readQuery(row.id).queryKey)?.version ?? row.version;
      await records.delete(client, { id: row.id, version });
    },
    onMutate: async ({ id }) => {
      await client.cancelQueries({ queryKey: [records.name, 'list'] });
      records.removeRow(client, id);
    },
    onSuccess: (_, row) => {
      toast(`Deleted “${records.titleOf(row)}”`, {
        action: { label: 'Undo', onClick: () => restore(row.id) },
      });
    },
    onError: (error, row) => {
      records.insertRow(client, row);
      client.invalidateQueries({ queryKey: records.readQuery(row.id).queryKey });
      const { title, detail } = explain(error);
      toast.error(`“${records.titleOf(row)}” was not deleted. ${detail ?? title}`);
    },
  });
}
