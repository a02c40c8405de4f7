import { appendFileSync, mkdirSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Sink } from './line-buffer.ts';

/** After a failed write the next attempt waits this long, in milliseconds, and for a line to write. */
const RETRY_MS = 5_000;
/** The log names who requested what: only the server's own account may read it. */
const MODE = 0o600;

/**
 * A log file that is rotated by size: `server.log`, then `server.log.1` and so on, the newest first.
 *
 * While it cannot be written, as on a full disk, lines are on standard output alone. It is not a stream, because nothing
 * waits for a stream when a process exits: one write is under way at a time, which Node finishes, and `flushSync` appends
 * the rest.
 */
export class LogFile implements Sink {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #count: number;
  #file: FileHandle | undefined;
  #bytes = 0;
  #queued: Buffer[] = [];
  #writing = false;
  #failure: Error | undefined;
  #retryAt = 0;
  readonly #onChange: (failure: Error | undefined) => void;

  /** @param onChange Called with the error once writing fails, and with nothing once it works again. */
  constructor(path: string, maxBytes: number, count: number, onChange: (failure: Error | undefined) => void) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#count = count;
    this.#onChange = onChange;
  }

  write(lines: Buffer): void {
    if (this.#failure && performance.now() < this.#retryAt) return;
    this.#queued.push(lines);
    // A turn later: if the process exits now, flushSync appends these lines instead.
    if (!this.#writing) setImmediate(() => this.#writeQueued());
    this.#writing = true;
  }

  flushSync(): void {
    if (this.#failure || this.#queued.length === 0) return;
    mkdirSync(dirname(this.#path), { recursive: true });
    appendFileSync(this.#path, this.#takeQueued(), { mode: MODE });
  }

  async #writeQueued(): Promise<void> {
    try {
      while (this.#queued.length > 0) {
        if (this.#bytes >= this.#maxBytes) await this.#rotate();
        this.#file ??= await this.#open();
        const lines = this.#takeQueued();
        await this.#file.appendFile(lines);
        this.#bytes += lines.length;
        if (this.#failure) this.#onChange(undefined);
        this.#failure = undefined;
      }
    } catch (error) {
      this.#fail(error as Error);
    }
    this.#writing = false;
  }

  async #open(): Promise<FileHandle> {
    await mkdir(dirname(this.#path), { recursive: true });
    const file = await open(this.#path, 'a', MODE);
    // A file that was there may have another mode; or another owner, who then knows why.
    await file.chmod(MODE).catch(() => {});
    this.#bytes = (await file.stat()).size;
    // After a failure the last line may be incomplete.
    if (this.#failure) this.#queued.unshift(Buffer.from('\n'));
    return file;
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async #rotate(): Promise<void> {
    await this.#close();
    const paths = [this.#path];
    for (let n = 1; n <= this.#count; n++) paths.push(`${this.#path}.${n}`);
    // Backwards, so that each name is free; the oldest is overwritten.
    for (let n = this.#count; n > 0; n--) {
      await rename(paths[n - 1] as string, paths[n] as string).catch((error) => {
        if (error.code !== 'ENOENT') throw error;
      });
    }
    this.#bytes = 0;
  }

  #fail(error: Error): void {
    this.#close().catch(() => {});
    this.#queued = [];
    this.#retryAt = performance.now() + RETRY_MS;
    if (this.#failure) return;
    this.#failure = error;
    this.#onChange(error);
  }

  #takeQueued(): Buffer {
    return Buffer.concat(this.#queued.splice(0));
  }
}
