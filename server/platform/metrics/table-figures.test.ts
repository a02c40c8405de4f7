import { expect, it, vi } from 'vitest';
import { TableFigures } from './table-figures.ts';

const SECOND = 1_000;

/** Of a table that cannot be read at times. */
class Rows extends TableFigures<{ rows: number }> {
  rows: number | Error = 0;
  changes = 0;
  reads = 0;
  readonly alert = this.rule('rows', 'Rows', { unit: 'rows', threshold: 0, endsAt: 0 }, ({ rows }) => rows);

  protected activity(): number {
    return this.changes;
  }

  protected async query(): Promise<{ rows: number }> {
    this.reads++;
    if (this.rows instanceof Error) throw this.rows;
    return { rows: this.rows };
  }

  /** @returns What the rule says after so many seconds, once what it asked for has been read. */
  async after(seconds: number): Promise<number | null> {
    await vi.advanceTimersByTimeAsync(seconds * SECOND);
    this.alert.value();
    await vi.advanceTimersByTimeAsync(0);
    return this.alert.value();
  }
}

it('are read again where they could not be read after a change, and are not known until then', async () => {
  vi.useFakeTimers();
  try {
    const table = new Rows({ warn: () => {} });
    table.changes = 1;
    expect(await table.after(20)).toBe(0);
    // Without a change they stay as they are.
    expect(await table.after(600)).toBe(0);
    expect(table.reads).toBe(1);
    table.changes = 2;
    table.rows = new Error('not now');
    expect(await table.after(20)).toBeNull();
    // Each look after a failure would follow the one before at once.
    const { reads } = table;
    await table.after(1);
    expect(table.reads).toBe(reads);
    table.rows = 5;
    expect(await table.after(20)).toBe(5);
  } finally {
    vi.useRealTimers();
  }
});
