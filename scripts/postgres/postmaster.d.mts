export interface Settings {
  readonly folder: string;
  readonly id: string;
  readonly port: number;
}

export function homeElsewhere(settings: Pick<Settings, 'folder' | 'id'>): string;
export function hasOurPort(settings: Settings): boolean;
/** @returns The server that runs on a data folder. */
export function runningIn(data: string): { pid: number; port: number } | undefined;
export function isServerOf(data: string, pid: number): boolean;
