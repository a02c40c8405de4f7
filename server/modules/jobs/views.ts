import type { JobState, JobView } from '#contracts/jobs.ts';
import type { Database } from '../../platform/database/pool/pool.ts';
import { withoutSecrets } from '../../platform/logging/redaction.ts';
import type { Envelope } from './attempt.ts';
import { TABLE } from './queue.ts';

const STATES: Record<JobState, readonly string[]> = {
  waiting: ['created', 'retry'],
  running: ['active'],
  done: ['completed'],
  cancelled: ['cancelled'],
  dead: ['failed'],
};
/** Written out, so that each reads its own partial index. */
const WHERE: Record<JobState, string> = {
  waiting: "state < 'active' and not blocked",
  running: "state = 'active'",
  done: "completed_on is not null and state = 'completed'",
  cancelled: "completed_on is not null and state = 'cancelled'",
  dead: "state = 'failed'",
};
const ORDER: Record<JobState, string> = {
  waiting: 'start_after',
  running: 'started_on',
  done: 'completed_on desc',
  cancelled: 'completed_on desc',
  dead: 'completed_on desc',
};

interface Row {
  id: string;
  name: string;
  state: string;
  priority: number;
  data: Partial<Envelope> | null;
  output: Record<string, unknown> | null;
  retry_count: number;
  retry_limit: number;
  singleton_key: string | null;
  created_on: Date;
  start_after: Date;
  started_on: Date | null;
  completed_on: Date | null;
}

/** @throws DatabaseUnavailableError */
export async function listOf(
  database: Database,
  state: JobState,
  names: readonly string[],
  limit: number,
): Promise<JobView[]> {
  const { rows }: { rows: Row[] } = await database.pool.query(
    `select * from ${TABLE} where ${WHERE[state]} and name = any($1) order by ${ORDER[state]} limit $2`,
    [names, limit],
  );
  return rows.map(written);
}

/** @throws DatabaseUnavailableError */
export async function oneOf(database: Database, name: string, id: string): Promise<JobView | undefined> {
  const { rows }: { rows: Row[] } = await database.pool.query(
    `select * from ${TABLE} where name = $1 and id = $2`,
    [name, id],
  );
  return rows[0] && written(rows[0]);
}

function written(row: Row): JobView {
  const { data, output } = row;
  const state = (Object.keys(STATES) as JobState[]).find((one) => STATES[one].includes(row.state)) ?? 'done';
  const { input, progress, key } = JSON.parse(
    withoutSecrets(
      JSON.stringify({
        input: data?.input ?? null,
        progress: typeof output?.done === 'number' ? output : null,
        key: row.singleton_key,
      }),
    ),
  );
  const begun = row.started_on !== null || row.retry_count > 0;
  return {
    id: row.id,
    name: row.name,
    state,
    attempts: row.retry_count + Number(begun),
    maxAttempts: row.retry_limit + 1,
    priority: row.priority,
    key,
    createdAt: row.created_on.toISOString(),
    dueAt: row.start_after.toISOString(),
    startedAt: row.started_on?.toISOString() ?? null,
    endedAt: row.completed_on?.toISOString() ?? null,
    progress,
    error: typeof output?.message === 'string' ? output.message : null,
    requestId: data?.actor?.requestId ?? null,
    userId: data?.actor?.userId ?? null,
    input,
  };
}
