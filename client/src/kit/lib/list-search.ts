/** What the address of a list holds after its `?`. */
export interface ListSearch {
  /** Words that all occur in the records shown. */
  search?: string;
  /** The form for a new record is open. */
  new?: true;
}

/** For `validateSearch` of a list's route. */
export const listSearch = ({ search, new: isNew }: Record<string, unknown>): ListSearch => ({
  ...(search === undefined ? {} : { search: String(search) }),
  ...(isNew ? { new: true } : {}),
});
