import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, resolve } from 'node:path';

/** A frame of V8's stack traces: the text before the file, the file, its line and column. */
const FRAME = /^(\s+at .*?\(?)(\/[^():]+\.js|[A-Za-z]:[^():]+\.js):(\d+):(\d+)(\)?)$/;

const maps = new Map<string, SourceMap | undefined>();

/**
 * Rewrites a stack trace of the bundle so that it names our sources.
 *
 * Node can do so by itself (`--enable-source-maps`), and holds 12 MB more from the start for it, measured; here a map is
 * read when the first error needs it. Frames of files without a map stay as they are.
 */
export function sourceStack(stack: string): string {
  return stack
    .split('\n')
    .map((line) => {
      const [, before, file, row, column, after] = FRAME.exec(line) ?? [];
      if (file === undefined) return line;
      // Positions count from 0 in a map and from 1 in a trace.
      const found = mapOf(file)?.findEntry(Number(row) - 1, Number(column) - 1);
      if (!found || !('originalSource' in found)) return line;
      const source = resolve(dirname(file), found.originalSource);
      return `${before}${source}:${found.originalLine + 1}:${found.originalColumn + 1}${after}`;
    })
    .join('\n');
}

function mapOf(file: string): SourceMap | undefined {
  if (!maps.has(file)) {
    const path = `${file}.map`;
    try {
      maps.set(file, existsSync(path) ? new SourceMap(JSON.parse(readFileSync(path, 'utf8'))) : undefined);
    } catch {
      // Perhaps no file descriptor is left, which is the error being logged. The next error tries again.
      return undefined;
    }
  }
  return maps.get(file);
}
