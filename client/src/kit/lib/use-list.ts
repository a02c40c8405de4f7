import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo } from 'react';
import { hasDraft, resumeDrafts } from './autosave.ts';
import { useEvents } from './events.ts';
import type { AnyRecords, Entity, Id, Records } from './records.ts';

/** The rows of all pages by their place, without copying 100,000 of them whenever a page arrives. */
function indexOf<Row>(pages: { items: Row[] }[]) {
  let count = 0;
  const ends = pages.map(({ items }) => (count += items.length));
  const rowAt = (index: number) => {
    const page = ends.findIndex((end) => index < end);
    return pages[page]?.items[index - (ends[page - 1] ?? 0)];
  };
  return { count, rowAt };
}

/**
 * The records that match a filter, newest first, as `RecordList` draws them.
 *
 * @param filter What the list route takes besides `cursor` and `limit`; undefined values do not filter. Keep it in the address.
 */
export function useList<Row extends Entity, Filter extends object>(
  // biome-ignore lint/suspicious/noExplicitAny: a list needs neither the whole record nor a new one
  records: Records<Row, any, any, Filter>,
  filter: Filter,
) {
  const query = useInfiniteQuery(records.listQuery(filter));
  const found = useMemo(() => indexOf<Row>(query.data?.pages ?? []), [query.data]);
  return { records: records as AnyRecords<Row>, filter, query, ...found };
}

export type List<Row extends Entity> = Omit<ReturnType<typeof useList<Row, object>>, 'records'> & {
  records: AnyRecords<Row>;
};

/** What open pages are told of a record that was written: `version` is absent where it was deleted. */
interface Change {
  id: Id;
  version?: number;
}

/** More records than these are not read one by one. */
const MAX_READ_ALONE = 20;

/**
 * Keeps what is shown current while others write, and sends drafts of earlier visits. A record with unsaved text stays as
 * it is: its next save merges, or reports the conflict.
 *
 * @param topic The topic of the records' events.
 */
export function useLiveRecords(records: AnyRecords, topic: string | undefined) {
  const client = useQueryClient();
  useEffect(() => {
    void resumeDrafts(records, client);
  }, [records, client]);

  useEvents<Change>(topic, (changes) => {
    const latest = new Map(changes?.map((change) => [change.id, change]));
    if (!changes || latest.size > MAX_READ_ALONE) {
      client.invalidateQueries({
        queryKey: [records.name],
        predicate: ({ queryKey: [, kind, id] }) => kind === 'list' || !hasDraft(records, id as Id),
      });
      return;
    }
    for (const { id, version } of latest.values()) {
      const query = records.readQuery(id);
      if (version === undefined) {
        records.removeRow(client, id);
        // Where it is on screen, the server says that it is gone.
        if (client.getQueryCache().find(query)?.isActive()) void client.resetQueries(query);
        else client.removeQueries(query);
        continue;
      }
      // What was written here has come, or will come, with its answer.
      const known = client.getQueryData(query.queryKey)?.version ?? 0;
      if (hasDraft(records, id) || known >= version) continue;
      client.fetchQuery({ ...query, staleTime: 0 }).then(
        (record) => records.put(client, record),
        // Deleted meanwhile, or unreachable: the next event or reading tells.
        () => {},
      );
    }
  });
}
