import { type Static, type TSchema, Type } from 'typebox';

/** The query of every paged list: where to continue, and how many items. */
export const PageQuery = Type.Object({
  cursor: Type.Optional(
    Type.String({ maxLength: 200, description: '`nextCursor` of the page before; opaque, do not build one' }),
  ),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20, description: 'Items a page' })),
});
export type PageQuery = Static<typeof PageQuery>;

/**
 * One page of a keyset-paged list.
 *
 * @param item Schema of one item.
 * @returns `{items, nextCursor}`; `nextCursor` is null on the last page.
 */
export const Page = <Item extends TSchema>(item: Item) =>
  Type.Object({
    items: Type.Array(item),
    nextCursor: Type.Union([Type.String(), Type.Null()], { description: 'Null on the last page' }),
  });
