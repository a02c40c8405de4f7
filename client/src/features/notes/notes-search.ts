/** The search parameters of the notes' addresses. */
export type NotesSearch = {
  /** Words that the listed notes contain. */
  search?: string;
  /** The box for a new note is open. */
  new?: true;
};
