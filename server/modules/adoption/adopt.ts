/**
 * Adopts tables that were made outside of the migrations.
 *
 * Some platforms compare the development database with the production database at every deployment, and change
 * production's tables themselves: without the journal of migrations, and without rows. The next start then finds
 * migrations pending whose work is done. Which ones those are is found by rehearsing the migrations in an empty schema,
 * in a transaction that is rolled back, and by comparing what PostgreSQL says of both: so nothing has to be interpreted
 * here, and what was written by hand counts like what was generated.
 *
 * Compared is only what the pending migrations change. What else is there, such as an index that an operator added, is
 * left alone.
 */
import pg from 'pg';
import type { AdoptChoice, Adopted, Adoption } from '../../platform/database/migrations/adoption.ts';
import { MigrationError } from '../../platform/database/migrations/errors.ts';
import type { Migration } from '../../platform/database/migrations/files.ts';
import type { History } from '../../platform/database/migrations/history.ts';
import { isContention, passingReason, type Session } from '../../platform/database/migrations/session.ts';
import { type Statement, splitStatements } from '../../platform/database/migrations/statements.ts';
import { type Catalogue, differing, readCatalogue } from './catalogue.ts';
import { findDoubts, undecided } from './doubts.ts';
import { makesTableWithRows, shapesSchema, type Treatment, treatmentOf } from './treatments.ts';

/** Set before the name of each schema of the rehearsal, and taken out of what PostgreSQL says of it. */
const PREFIX = 'adopt_rehearsal_';
/**
 * What is done to empty tables takes no time. A history that leans on tables which no migration makes could reach real ones
 * where extensions share their schema: then no longer than this, in milliseconds, and it is rolled back as well.
 */
const STATEMENT_TIMEOUT = 2_000;
const LOCK_TIMEOUT = 500;
/** PostgreSQL's code for a statement that has run into its time limit. */
const QUERY_CANCELED = '57014';

/**
 * Finds out which of the pending migrations the database holds already: see `FindAdoption` of the platform.
 *
 * Tables do not show whether a change of rows has run; the journal does. Where it is empty, and the rows are there, an
 * operator has to say.
 */
export async function findAdoption(
  session: Session,
  { applied, pending, ahead }: Pick<History, 'applied' | 'pending' | 'ahead'>,
  choice?: AdoptChoice,
): Promise<Adoption> {
  const recorded = applied.length + ahead.length > 0;
  if (recorded && !pending.some(compares)) return { adopted: [] };
  const seen = await compareTables(session, applied, pending);
  const { adopted, unknown } = seen;
  const found = { adopted, ...(unknown !== undefined && { unknown }) };
  if (recorded || choice === 'run') return found;
  const works = [...adopted, ...seen.open.map(whole)];
  const statements = pending.flatMap(({ sql }) => splitStatements(sql));
  const doubts = await rolledBack(session, () => findDoubts(session, works, seen.tables, statements));
  const migrations = new Set(doubts.map(({ migration }) => migration));
  if (choice === undefined) {
    return doubts.length > 0 ? { ...found, undecided: { problem: undecided(doubts), migrations } } : found;
  }
  const doubtful = new Set(doubts.map(({ statement }) => statement));
  const last = works.findLastIndex(({ migration }) => migrations.has(migration.name));
  const taken = works.slice(0, Math.max(adopted.length, last + 1));
  const left = ({ migration, statements }: Adopted): Adopted => ({
    migration,
    statements: statements.filter((one) => !doubtful.has(one)),
  });
  return { ...found, adopted: taken.map(left) };
}

const compares = ({ sql }: Migration) => splitStatements(sql).some((one) => treatmentOf(one) === 'compare');

const whole = (migration: Migration): Adopted => ({
  migration,
  statements: splitStatements(migration.sql).map((one) => ({ ...one, treatment: 'run' })),
});

/** What the tables tell of the pending migrations. */
interface Seen {
  adopted: Adopted[];
  /** Those that follow and may have run all the same, because the catalogue does not show what they do. */
  open: Migration[];
  /** Those of the migrations' tables that are there. */
  tables: string[];
  unknown?: string;
}

async function compareTables(session: Session, applied: Migration[], pending: Migration[]): Promise<Seen> {
  const nothing: Seen = { adopted: [], open: [], tables: [] };
  let live: Catalogue = new Map();
  try {
    return await rolledBack(session, async () => {
      const place = await findPlace(session, [...applied, ...pending]);
      if (!place) return { ...nothing, unknown: 'no schema of search_path exists' };
      await session.query(`set local search_path to ${place.path('')}`);
      live = await readCatalogue(session, place.schemas, place.usual);
      if (live.size === 0) return nothing;
      return decide(live, pending, await rehearse(session, place, applied, pending));
    });
  } catch (error) {
    const readOnly = (error as pg.DatabaseError).code === '25006';
    const tryAgain = isContention(error) || (passingReason(error) && !readOnly);
    if (!(error instanceof pg.DatabaseError) || tryAgain) throw error;
    // The first that makes something fails where that is there, so it has not run before.
    const first = pending.findIndex(compares);
    const open = pending.slice(0, first < 0 ? pending.length : first);
    return { ...nothing, open, tables: tablesOf(live), unknown: error.message };
  }
}

/** In a transaction of which nothing is kept; in a second one, where a statement of the first ran into its time limit. */
async function rolledBack<Result>(session: Session, work: () => Promise<Result>): Promise<Result> {
  // The machine may have stood still. A statement that is slow by itself runs into the limit again.
  return await attempt(session, work).catch((error) => {
    if ((error as pg.DatabaseError).code !== QUERY_CANCELED) throw error;
    return attempt(session, work);
  });
}

async function attempt<Result>(session: Session, work: () => Promise<Result>): Promise<Result> {
  await session.query(`begin; set local statement_timeout = ${STATEMENT_TIMEOUT};
    set local lock_timeout = ${LOCK_TIMEOUT}; set local idle_in_transaction_session_timeout = 0`);
  try {
    return await work();
  } finally {
    await session.query('rollback').catch(() => {});
  }
}

const tablesOf = (catalogue: Catalogue): string[] =>
  [...catalogue.keys()].flatMap((name) => (name.startsWith('table ') ? [name.slice('table '.length)] : []));

/** Where the migrations work. */
interface Place {
  /** The schema that a name without one means. */
  usual: string;
  schemas: string[];
  extensions: string[];
  /** For `search_path`: the usual schema, and those that extensions brought. */
  path(prefix: string): string;
}

const NAME = '("(?:[^"]|"")+"|[\\w$]+)';
const CREATE_SCHEMA = new RegExp(`^create\\s+schema\\s+(?:if\\s+not\\s+exists\\s+)?${NAME}`, 'i');

async function findPlace(session: Session, migrations: Migration[]): Promise<Place | undefined> {
  const { rows } = await session.query(`select current_schema() as usual,
    array(select extname::text from pg_extension) as extensions,
    array(select distinct nspname::text from pg_extension join pg_namespace n on n.oid = extnamespace
      where nspname <> 'pg_catalog') as brought`);
  const { usual, extensions, brought } = rows[0];
  if (usual === null) return undefined;
  const schemas = new Set<string>([usual, 'public']);
  for (const { bare } of migrations.flatMap(({ sql }) => splitStatements(sql))) {
    const [, name] = CREATE_SCHEMA.exec(bare) ?? [];
    if (name)
      schemas.add(name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase());
  }
  return {
    usual,
    schemas: [...schemas],
    extensions,
    path: (prefix) => [prefix + usual, ...brought].map((name) => pg.escapeIdentifier(name)).join(', '),
  };
}

interface Rehearsal {
  /** What is there before the first of the pending migrations, and after each of them. */
  states: Catalogue[];
  /** Names of all that the pending ones change. */
  changed: Set<string>;
  /** Statements whose effect the catalogue does not show. */
  unseen: Set<string>;
}

async function rehearse(
  session: Session,
  place: Place,
  applied: Migration[],
  pending: Migration[],
): Promise<Rehearsal> {
  const { schemas, usual } = place;
  for (const name of new Set([usual, 'public']))
    await session.query(`create schema ${pg.escapeIdentifier(PREFIX + name)}`);
  await session.query(`set local search_path to ${place.path(PREFIX)}`);
  for (const { sql } of applied) {
    for (const statement of splitStatements(sql)) await perform(session, statement, place);
  }
  let state = await readCatalogue(session, schemas, usual, PREFIX);
  const rehearsal: Rehearsal = { states: [state], changed: new Set(), unseen: new Set() };
  for (const { sql } of pending) {
    for (const statement of splitStatements(sql)) {
      if (!(await perform(session, statement, place))) continue;
      const before = state;
      state = await readCatalogue(session, schemas, usual, PREFIX);
      const names = differing(before, state);
      if (names.length === 0) rehearsal.unseen.add(statement.text);
      if (treatmentOf(statement) === 'compare') for (const name of names) rehearsal.changed.add(name);
    }
    rehearsal.states.push(state);
  }
  return rehearsal;
}

/** @returns Whether the statement had a part to play. */
async function perform(
  session: Session,
  statement: Statement,
  { schemas, extensions }: Place,
): Promise<boolean> {
  if (!shapesSchema(statement)) return false;
  const [, extension] =
    /^create\s+extension\s+(?:if\s+not\s+exists\s+)?"?([\w-]+)/i.exec(statement.bare) ?? [];
  if (extensions.includes(extension ?? '') || /^(alter|drop)\s+extension\b/i.test(statement.bare))
    return false;
  // Allowed outside of a transaction only, and of no use on empty tables.
  const text = statement.text.replace(/\bconcurrently\b/i, '');
  await session.query(moved(text, schemas));
  return true;
}

/** The same statement for the rehearsal's schemas, wherever it names one. */
function moved(text: string, schemas: string[]): string {
  return schemas.reduce((sql, name) => {
    const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const written = `(?:"${escaped}"|(?<!")\\b${escaped}\\b(?!"))`;
    const named = new RegExp(
      `(?<![\\w".])${written}(?=\\s*\\.)|(?<=\\bschema\\s+(?:if\\s+(?:not\\s+)?exists\\s+)?)${written}`,
      'gi',
    );
    return sql.replace(named, () => pg.escapeIdentifier(PREFIX + name));
  }, text);
}

function decide(found: Catalogue, pending: Migration[], { states, changed, unseen }: Rehearsal): Seen {
  const misread = emptyArrays(found, states);
  const live: Catalogue = new Map([...found, ...misread]);
  const differences = states.map((state) => differing(live, state).filter((name) => changed.has(name)));
  const reached = differences.findIndex((names) => names.length === 0);
  if (reached < 0) throw mismatch(live, pending, states, differences);
  const adopted = pending.slice(0, reached).map((migration): Adopted => {
    const statements = splitStatements(migration.sql);
    if (statements.some(makesTableWithRows)) throw unclear(migration);
    const treatment = (one: Statement): Treatment => {
      const usual = treatmentOf(one);
      return usual === 'compare' && unseen.has(one.text) ? 'try' : usual;
    };
    return {
      migration,
      statements: statements.flatMap((one) => {
        const how = treatment(one);
        return how === 'compare' ? [] : [{ ...one, treatment: how }];
      }),
    };
  });
  for (const name of misread.keys()) adopted.at(-1)?.statements.push(emptyDefault(name));
  const ofMigrations = new Set(states.flatMap(tablesOf));
  return {
    adopted,
    open: pending.slice(reached, firstToBeSeen(live, states, reached)),
    tables: tablesOf(live).filter((table) => ofMigrations.has(table)),
  };
}

/** drizzle-kit takes the default `'{}'` for `'{""}'`, and so gives a column an array of one empty text where it should have none. */
function emptyArrays(live: Catalogue, states: Catalogue[]): Catalogue {
  const misread = new Map<string, string>();
  for (const [name, text] of live) {
    const meant = text.replace(/ default '\{""\}'$/, " default '{}'");
    if (meant !== text && states.some((state) => state.get(name) === meant)) misread.set(name, meant);
  }
  return misread;
}

function emptyDefault(name: string): Adopted['statements'][number] {
  const [, table, column] = /^column (.+)\.("(?:[^"]|"")+"|[^".]+)$/.exec(name) ?? [];
  const text = `alter table ${table} alter column ${column} set default '{}'`;
  return { text, bare: text, at: 0, treatment: 'run' };
}

/** The first of the pending ones, from `reached` on, that makes what is not there: it has not run, nor has any after it. */
function firstToBeSeen(live: Catalogue, states: Catalogue[], reached: number): number {
  for (let at = reached; at + 1 < states.length; at++) {
    const [before, after] = [states[at] as Catalogue, states[at + 1] as Catalogue];
    if (differing(before, after).some((name) => live.get(name) !== after.get(name))) return at;
  }
  return states.length - 1;
}

const MAX_SHOWN = 20;

function mismatch(
  live: Catalogue,
  pending: Migration[],
  states: Catalogue[],
  differences: string[][],
): MigrationError {
  const fewest = Math.min(...differences.map(({ length }) => length));
  const nearest = differences.findIndex(({ length }) => length === fewest);
  const state = states[nearest] as Catalogue;
  const names = differences[nearest] as string[];
  const lines = names.slice(0, MAX_SHOWN).map((name) => {
    const [is, should] = [live.get(name), state.get(name)];
    if (is === undefined) return `  missing    ${shown(name, should)}`;
    if (should === undefined) return `  unexpected ${shown(name, is)}`;
    return `  different  ${name}: is ${is}; should be ${should}`;
  });
  if (names.length > MAX_SHOWN) lines.push(`  … and ${names.length - MAX_SHOWN} more`);
  const after = pending[nearest - 1];
  const where = after ? `as ${after.name} leaves them` : 'as the recorded migrations leave them';
  return new MigrationError(
    'schema',
    after?.name,
    [
      `The tables were changed outside of the migrations: they match neither the recorded ones nor any of the pending ones. The nearest match is ${where}; the differences:`,
      ...lines,
      'Nothing was changed. Bring the tables to one of those states by SQL of your own, or restore a backup, then start again; see docs/deploying.md, "When the tables do not match".',
    ].join('\n'),
  );
}

const shown = (name: string, text: string | undefined) => (text === 'there' ? name : `${name}: ${text}`);

function unclear({ name }: Migration): MigrationError {
  return new MigrationError(
    'schema',
    name,
    `The tables of ${name}.sql exist already; but it fills one of them as it creates it (create table … as), so it is not known whether its rows are there. ` +
      'Drop that table, so that the migration can make it, or put the rows in by hand and write create table if not exists … as.',
  );
}
