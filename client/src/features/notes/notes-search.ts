/** What stands after the `?` of the notes' addresses. */
export type NotesSearch = {
  /** Words that all occur in the notes shown. */
  search?: string;
  /** The box for a new note is open. */
  new?: true;
};
