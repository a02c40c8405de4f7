/** What stands behind `node`: an option for V8, and the file. */
export const SERVER: [flag: string, main: string];
