import {
  type InfiniteData,
  infiniteQueryOptions,
  keepPreviousData,
  type QueryClient,
  queryOptions,
} from '@tanstack/react-query';
import type { Static, TSchema } from 'typebox';
import { type Answer, type Contract, request } from './api.ts';
import type { BodySchema } from './form-rules.ts';

export type Id = number | string;

/** What every record has. `version` grows with each change; the `ETag` is made from it. */
export interface Entity {
  readonly id: Id;
  readonly version: number;
}

/** The routes of a kind of record: pages by keyset, `If-Match` for changes, and a restore that undoes a deletion. */
interface Routes {
  readonly list: Contract;
  readonly read: Contract;
  readonly create: Contract & { readonly schema: { readonly body: TSchema } };
  readonly change: Contract;
  readonly delete: Contract;
  readonly restore: Contract;
}

type Whole<R extends Routes> = Answer<R['read']> & Entity;
type Row<R extends Routes> = Answer<R['list']> extends { items: (infer Item)[] } ? Item & Entity : never;
type New<R extends Routes> = Static<R['create']['schema']['body']>;
type Filter<R extends Routes> = Omit<
  Static<Extract<R['list']['schema']['querystring'], TSchema>>,
  'cursor' | 'limit'
>;

interface Page<Row> {
  items: Row[];
  nextCursor: string | null;
}
type Lists<Row> = InfiniteData<Page<Row>, string | undefined>;

/** Rows in the first page, which the reader waits for, and in each further one, which is fetched ahead. */
const FIRST_PAGE = 40;
const NEXT_PAGE = 100;

const call = request as (method: string, url: string, options?: object) => Promise<unknown>;
const send = (route: Contract, options?: object) => call(route.method, route.url, options);
const ifMatch = (version: number) => ({ 'if-match': `"${version}"` });
/** The address has every id as text. */
const isSame = (row: Entity, id: Id) => String(row.id) === String(id);
const isEmpty = (filter: object) =>
  Object.values(filter).every((value) => value === undefined || value === '');

/** A kind of record on the server, and what of it is in the query cache. Made by `records`. */
export class Records<Row extends Entity, Whole extends Entity, New, Filter extends object> {
  readonly name: string;
  /** The rules of the fields: those of the route that creates one. */
  readonly fields: BodySchema;
  readonly rowOf: (record: Whole) => Row;
  readonly titleOf: (row: Row) => string;
  readonly #routes: Routes;

  constructor(
    name: string,
    routes: Routes,
    options: { rowOf: (record: Whole) => Row; titleOf: (row: Row) => string },
  ) {
    this.name = name;
    this.fields = routes.create.schema.body as unknown as BodySchema;
    this.rowOf = options.rowOf;
    this.titleOf = options.titleOf;
    this.#routes = routes;
  }

  /**
   * The rows that match, page by page, newest first. Refetching would ask for every page that was scrolled through, so
   * only a list of one page refreshes itself; the others are kept current by the functions below.
   */
  listQuery(filter: Filter) {
    return infiniteQueryOptions({
      queryKey: [this.name, 'list', filter],
      queryFn: ({ pageParam, signal }) =>
        send(this.#routes.list, {
          query: {
            ...filter,
            ...(pageParam === undefined ? { limit: FIRST_PAGE } : { cursor: pageParam, limit: NEXT_PAGE }),
          },
          signal,
        }) as Promise<Page<Row>>,
      initialPageParam: undefined as string | undefined,
      getNextPageParam: ({ nextCursor }) => nextCursor ?? undefined,
      placeholderData: keepPreviousData,
      // Comparing 100,000 rows with themselves at each page would cost more than drawing the few that changed.
      structuralSharing: false,
      staleTime: ({ state }) => ((state.data?.pages.length ?? 0) > 1 ? Number.POSITIVE_INFINITY : 30_000),
    });
  }

  /** One record, whole. */
  readQuery(id: Id) {
    return queryOptions({
      queryKey: [this.name, 'one', String(id)],
      queryFn: ({ signal }) => send(this.#routes.read, { params: { id }, signal }) as Promise<Whole>,
    });
  }

  async create(client: QueryClient, body: New): Promise<Whole> {
    return this.put(client, (await send(this.#routes.create, { body })) as Whole);
  }

  /**
   * Sends changed fields, based on `version`. It outlives a closed page.
   *
   * @throws {ApiError} With status 412, the record has another version now.
   */
  async change(client: QueryClient, { id, version }: Entity, body: object, signal: AbortSignal) {
    // An answer that is under way would be older than this one.
    await client.cancelQueries({ queryKey: this.readQuery(id).queryKey });
    const options = { params: { id }, headers: ifMatch(version), body, signal, keepalive: true };
    const record = (await send(this.#routes.change, options)) as Whole;
    client.setQueryData<Whole>(this.readQuery(id).queryKey, record);
    this.#editLists(client, (rows) =>
      rows.some((row) => isSame(row, id))
        ? rows.map((row) => (isSame(row, id) ? this.rowOf(record) : row))
        : rows,
    );
    this.#readListsAnew(client);
    return record;
  }

  async delete(client: QueryClient, { id, version }: Entity) {
    await send(this.#routes.delete, { params: { id }, headers: ifMatch(version) });
    client.removeQueries({ queryKey: this.readQuery(id).queryKey });
  }

  /** Undoes a deletion. */
  async restore(client: QueryClient, id: Id): Promise<Whole> {
    return this.put(client, (await send(this.#routes.restore, { params: { id } })) as Whole);
  }

  /** Puts a record from the server into the cache, and into the lists it belongs to. */
  put(client: QueryClient, record: Whole): Whole {
    client.setQueryData<Whole>(this.readQuery(record.id).queryKey, record);
    // Before filtered lists are read, so that none is read twice.
    this.#readListsAnew(client);
    this.insertRow(client, this.rowOf(record));
    return record;
  }

  /** Inserts a row where the order, newest first, wants it. Filtered lists are read again: the server knows what matches. */
  insertRow(client: QueryClient, row: Row) {
    this.removeRow(client, row.id);
    const isOlder = (other: Row) => other.id < row.id;
    for (const [queryKey, data] of client.getQueriesData<Lists<Row>>({ queryKey: [this.name, 'list'] })) {
      if (!isEmpty(queryKey[2] as object)) {
        client.invalidateQueries({ queryKey, exact: true });
        continue;
      }
      const found = data?.pages.findIndex(
        ({ items, nextCursor }) => items.some(isOlder) || nextCursor === null,
      );
      if (!data || found === undefined || found === -1) continue;
      const pages = data.pages.map((page, index) => {
        if (index !== found) return page;
        const at = page.items.findIndex(isOlder);
        return { ...page, items: page.items.toSpliced(at === -1 ? page.items.length : at, 0, row) };
      });
      client.setQueryData<Lists<Row>>(queryKey, { ...data, pages });
    }
  }

  /** Lists that are being read are read again: the answer under way may be older than the record that has just come. */
  #readListsAnew(client: QueryClient) {
    client.invalidateQueries({
      queryKey: [this.name, 'list'],
      predicate: ({ state }) => state.fetchStatus === 'fetching',
    });
  }

  removeRow(client: QueryClient, id: Id) {
    this.#editLists(client, (rows) =>
      rows.some((row) => isSame(row, id)) ? rows.filter((row) => row.id !== id) : rows,
    );
  }

  /** Changes every cached list; `change` gets one page's rows, and returns the same array where nothing changed. */
  #editLists(client: QueryClient, change: (rows: Row[]) => Row[]) {
    client.setQueriesData<Lists<Row>>(
      { queryKey: [this.name, 'list'] },
      (data) =>
        data && {
          ...data,
          pages: data.pages.map((page) => {
            const items = change(page.items);
            return items === page.items ? page : { ...page, items };
          }),
        },
    );
  }
}

// biome-ignore lint/suspicious/noExplicitAny: what a hook does not use of a kind of record may be anything
export type AnyRecords<Row extends Entity = any, Whole extends Entity = any> = Records<Row, Whole, any, any>;

/**
 * A kind of record, with the types and rules of its contracts. The hooks `useList`, `useRecord` and the others take it.
 *
 * @param name The key of its data in the query cache, and of its drafts in the browser.
 * @param options.rowOf The row of a list, made from the whole record as the server makes it.
 * @param options.titleOf How a message calls a record: "Deleted “Release checklist”".
 */
export const records = <R extends Routes>(
  name: string,
  routes: R,
  options: { rowOf: (record: Whole<R>) => Row<R>; titleOf: (row: Row<R>) => string },
) => new Records<Row<R>, Whole<R>, New<R>, Filter<R>>(name, routes, options);
