/** @returns What Node was started with: `NODE_OPTIONS`, then the command line's own. */
export const nodeOptions = (): string[] => [process.env.NODE_OPTIONS ?? '', ...process.execArgv];
