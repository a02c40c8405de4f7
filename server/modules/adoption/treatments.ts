import type { Statement } from '../../platform/database/migrations/statements.ts';

/**
 * What becomes of a statement whose effect may be there already.
 *
 * - `compare`: what it makes can be seen in the catalogue, so it is left out where that is there
 * - `try`: it makes something that is not compared; run it, and let it find that its work is done
 * - `run`: it changes rows, or says itself that it may run twice
 */
export type Treatment = 'compare' | 'try' | 'run';

const CHANGES_SCHEMA = /^(create|alter|drop)\b(?!\s+(global\s+|local\s+)?temp)/i;
/** Not `drop … if exists`, which would take away what a later statement has made. */
const MAY_RUN_TWICE = /\bif\s+not\s+exists\b|^create\s+or\s+replace\b/i;
const COMPARED =
  /^\w+\s+((unlogged|unique|materialized|recursive|foreign)\s+)*(table|index|view|type|sequence|schema|policy)\b/i;

export function treatmentOf({ bare }: Statement): Treatment {
  if (!CHANGES_SCHEMA.test(bare) || MAY_RUN_TWICE.test(bare)) return 'run';
  return COMPARED.test(bare) ? 'compare' : 'try';
}

/** Belongs to the whole server, so that it cannot be tried in a schema of its own. */
const BEYOND_SCHEMAS =
  /^\w+\s+(role|user|group|database|tablespace|system|publication|subscription|server|foreign\s+data|event\s+trigger)\b/i;

/** Whether a statement has a part in what the schema looks like. */
export function shapesSchema({ bare }: Statement): boolean {
  return (CHANGES_SCHEMA.test(bare) && !BEYOND_SCHEMAS.test(bare)) || /^do\b/i.test(bare);
}

/** `create table … as select`: whether its rows are there cannot be seen from its columns. */
export function makesTableWithRows({ bare }: Statement): boolean {
  return /^create\s+(unlogged\s+)?table\b[^(]*(\([^)]*\)\s*)?\bas\s+(select|with|table|values|execute)\b/i.test(
    bare,
  );
}
