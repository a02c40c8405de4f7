/** Options for V8, to stand behind `node`. */
export const FLAGS: string[];
/** The file, from the project's root. */
export const MAIN: string;
