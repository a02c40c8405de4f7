import type { JobState, JobView } from '#contracts/jobs.ts';
import type { Database } from '../../platform/database/pool/pool.ts';
import { redacted } from '../../platform/logging/redaction.ts';
import type { Envelope } from './attempt.ts';
import { TABLE } from './queue.ts';

/** What the states of pg-boss are called. */
const STATES: Record<string, JobState> = {
  created: 'waiting',
  retry: 'waiting',
  active: 'running',
  completed: 'done',
  cancelled: 'cancelled',
  failed: 'dead',
};
/** Written out, so that each reads its own partial index. */
const LISTS: Record<JobState, { where: string; order: string }> = {
  waiting: { where: "state < 'active' and not blocked", order: 'start_after' },
  running: { where: "state = 'active'", order: 'started_on' },
  done: { where: "completed_on is not null and state = 'completed'", order: 'completed_on desc' },
  cancelled: { where: "completed_on is not null and state = 'cancelled'", order: 'completed_on desc' },
  dead: { where: "state = 'failed'", order: 'completed_on desc' },
};

/** The most of an input that is shown in a list, and of one job, in bytes. A list has up to 200 jobs. */
const MAX_LISTED = 16_384;
const MAX_SHOWN = 262_144;

/** @param max Bytes of JSON. A larger input stays in the database, where its size as stored is known without reading it. */
const columns = (max: number, instead: string) => `
  id, name, state, priority, retry_count, retry_limit, singleton_key, created_on, start_after, started_on, completed_on,
  output, data->'actor' as actor,
  case when pg_column_size(data) > ${max} then to_jsonb('${instead}'::text)
    when octet_length((data->'input')::text) > ${max} then to_jsonb('${instead}'::text)
    else data->'input' end as input`;
const LISTED = columns(MAX_LISTED, 'Larger than 16 KB: ask for this job alone');
const SHOWN = columns(MAX_SHOWN, `Larger than 256 KB: it is in ${TABLE}`);

interface Row {
  id: string;
  name: string;
  state: string;
  priority: number;
  actor: Envelope['actor'] | null;
  input: unknown;
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
  const { where, order } = LISTS[state];
  const { rows }: { rows: Row[] } = await database.pool.query(
    `select ${LISTED} from ${TABLE} where ${where} and name = any($1) order by ${order} limit $2`,
    [names, limit],
  );
  return rows.map(written);
}

/** @throws DatabaseUnavailableError */
export async function oneOf(database: Database, name: string, id: string): Promise<JobView | undefined> {
  const { rows }: { rows: Row[] } = await database.pool.query(
    `select ${SHOWN} from ${TABLE} where name = $1 and id = $2`,
    [name, id],
  );
  return rows[0] && written(rows[0]);
}

function written(row: Row): JobView {
  const { actor, output } = row;
  const { input, progress, key } = redacted({
    input: row.input ?? null,
    progress: typeof output?.done === 'number' ? (output as unknown as JobView['progress']) : null,
    key: row.singleton_key,
  });
  const begun = row.started_on !== null || row.retry_count > 0;
  return {
    id: row.id,
    name: row.name,
    state: STATES[row.state] ?? 'done',
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
    requestId: actor?.requestId ?? null,
    userId: actor?.userId ?? null,
    input,
  };
}
