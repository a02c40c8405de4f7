import { describe, expect } from 'vitest';
import { type Files, it, refusal, type Scene } from '../../../tests/support/migration-scene.ts';
import { createDatabase } from '../../../tests/support/postgres.ts';
import { publish } from '../../../tests/support/publish.ts';
import { readMigrations } from '../../platform/database/migrations/files.ts';
import { migrationStatus } from '../../platform/database/migrations/status.ts';

const TABLES: Files = {
  '7000_people': [
    `CREATE TYPE "public"."mood" AS ENUM('glad', 'sad');`,
    `CREATE TABLE "people" ("id" serial PRIMARY KEY NOT NULL, "email" varchar(200) NOT NULL, "mood" "mood" DEFAULT 'glad', CONSTRAINT "people_email_unique" UNIQUE("email"));`,
    `CREATE TABLE "pets" ("id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, "owner" integer NOT NULL, "age" numeric(4, 1) DEFAULT 0, CONSTRAINT "pets_age" CHECK ("pets"."age" >= 0));`,
    `ALTER TABLE "pets" ADD CONSTRAINT "pets_owner_fk" FOREIGN KEY ("owner") REFERENCES "public"."people"("id") ON DELETE cascade ON UPDATE no action;`,
    `CREATE INDEX "pets_owner" ON "pets" USING btree ("owner") WHERE age > 1;`,
  ].join('\n--> statement-breakpoint\n'),
};
/** The same tables, made with other names, in another order and in other words. */
const BY_ANOTHER_HAND = `
  CREATE TYPE mood AS ENUM ('glad', 'sad');
  CREATE TABLE people (email character varying(200) NOT NULL, id serial, mood mood DEFAULT 'glad'::mood);
  ALTER TABLE people ADD CONSTRAINT people_key PRIMARY KEY (id);
  CREATE UNIQUE INDEX one_email_each ON people (email);
  CREATE TABLE pets (age decimal(4,1) DEFAULT 0 CHECK (age >= 0), id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner int4 NOT NULL REFERENCES people ON DELETE CASCADE);
  CREATE INDEX ON pets (owner) WHERE age > 1`;
const COLUMN: Files = { '7001_city': `ALTER TABLE "people" ADD COLUMN "city" text DEFAULT '' NOT NULL;` };
const ROWS: Files = {
  '7002_home': `-- It's a remark; with a semicolon.\nUPDATE people SET city = city || 'home' WHERE city <> ';';`,
};
const INDEX: Files = {
  '7003_by_city':
    '-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS "by_city" ON "people" ("city");',
};

const PERSON = `INSERT INTO people (email) VALUES ('a@example.com')`;
const cities = async (scene: Scene) => (await scene.sql('SELECT city FROM people')).map(({ city }) => city);
const journal = async (scene: Scene) =>
  (await scene.sql('SELECT hash FROM drizzle.__drizzle_migrations ORDER BY created_at')).map(
    ({ hash }) => hash,
  );
const hashes = async (folder: string) => (await readMigrations(folder)).map(({ hash }) => hash);
const THE_JOURNAL = `SELECT to_regclass('drizzle.__drizzle_migrations') AS journal`;

describe.concurrent('a platform that changes tables itself', () => {
  it('publishes tables, then a column, then rows and an index', async ({ scene, onTestFinished }) => {
    const development = await createDatabase('empty');
    onTestFinished(() => development.drop());
    /** As a developer does: migrations are written, and applied to the development database by its own start. */
    const release = async (files: Files) => {
      const folder = await scene.write(files);
      await scene.run({ connection: { connectionString: development.url } });
      await publish(development.url, scene.url);
      const report = await scene.run();
      expect(await journal(scene)).toEqual(await hashes(folder));
      return report;
    };
    const tags = { '6999_tags': `CREATE TABLE "tagged" ("tags" text[] DEFAULT '{}' NOT NULL);` };
    const first = { ...tags, ...TABLES };
    expect(await release(first)).toMatchObject({ applied: [], adopted: Object.keys(first) });
    await scene.sql(PERSON);
    await scene.sql('INSERT INTO tagged DEFAULT VALUES');
    expect(await scene.sql('SELECT tags FROM tagged')).toEqual([{ tags: [] }]);
    expect(await release({ ...first, ...COLUMN })).toMatchObject({ applied: [], adopted: ['7001_city'] });
    expect(await release({ ...first, ...COLUMN, ...ROWS, ...INDEX })).toMatchObject({
      applied: ['7002_home', '7003_by_city'],
      adopted: [],
    });
    expect(await cities(scene)).toEqual(['home']);
    expect(await publish(development.url, scene.url)).toEqual([]);
    expect(await scene.run()).toMatchObject({ applied: [], adopted: [] });
  });

  it('is known by what it made, whatever names it gave', async ({ scene }) => {
    await scene.write(TABLES);
    await scene.sql(BY_ANOTHER_HAND);
    expect(await scene.run()).toMatchObject({ applied: [], adopted: ['7000_people'] });
  });

  it('leaves rows to the migrations, which change them once', async ({ scene }) => {
    const files = { ...TABLES, ...COLUMN, ...ROWS, '7004_age': 'ALTER TABLE people ADD COLUMN age int;' };
    await scene.write(TABLES);
    await scene.run();
    await scene.sql(`${PERSON}; ALTER TABLE people ADD city text DEFAULT '' NOT NULL, ADD age int`);
    const folder = await scene.write(files);
    const reports = await Promise.all(Array.from({ length: 8 }, () => scene.run()));
    expect(reports.flatMap(({ adopted }) => adopted)).toEqual(['7001_city', '7002_home', '7004_age']);
    expect(reports.flatMap(({ applied }) => applied)).toEqual([]);
    for (const { adopted, alreadyApplied } of reports) expect(adopted.length + alreadyApplied).toBe(4);
    expect(await cities(scene)).toEqual(['home']);
    expect(await journal(scene)).toEqual(await hashes(folder));
  });

  it('may have stopped between two migrations', async ({ scene }) => {
    await scene.write({ ...TABLES, ...COLUMN, ...ROWS });
    await scene.sql(BY_ANOTHER_HAND);
    await scene.sql(PERSON);
    expect(await scene.run()).toMatchObject({
      adopted: ['7000_people'],
      applied: ['7001_city', '7002_home'],
    });
    expect(await cities(scene)).toEqual(['home']);
  });

  it('may have taken away what the release takes away', async ({ scene }) => {
    await scene.write({ ...TABLES, ...COLUMN });
    await scene.run();
    await scene.sql(
      `ALTER TABLE people DROP city; DROP TABLE pets; ALTER TABLE people RENAME email TO mail; ALTER TYPE mood ADD VALUE 'so so'`,
    );
    await scene.write({
      ...TABLES,
      ...COLUMN,
      '7002_less': `ALTER TABLE people DROP COLUMN city; DROP TABLE pets;
        ALTER TABLE people RENAME COLUMN email TO mail; ALTER TYPE "public"."mood" ADD VALUE 'so so';`,
    });
    expect(await scene.run()).toMatchObject({ adopted: ['7002_less'], applied: [] });
  });

  it('does not bring functions and triggers: those are made', async ({ scene }) => {
    const FUNCTION = `CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.email := upper(new.email); RETURN new; END $$;`;
    const TRIGGER = `CREATE TRIGGER shout BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION shout();`;
    const EXTENSION = 'CREATE EXTENSION IF NOT EXISTS citext;';
    const CITEXT = 'ALTER TABLE people ADD COLUMN nick citext;';
    await scene.write({ ...TABLES, '7001_shout': [EXTENSION, CITEXT, FUNCTION, TRIGGER].join('\n') });
    await scene.sql(`${BY_ANOTHER_HAND}; ${EXTENSION} ${CITEXT} ${FUNCTION}`);
    expect(await scene.run()).toMatchObject({ adopted: ['7000_people', '7001_shout'] });
    await scene.sql(PERSON);
    expect(await scene.sql('SELECT email FROM people')).toEqual([{ email: 'A@EXAMPLE.COM' }]);
  });

  it('may work in schemas of the migrations own', async ({ scene }) => {
    const SALES = `CREATE SCHEMA "sales"; CREATE TABLE "sales"."orders" ("id" serial PRIMARY KEY, "person" integer REFERENCES "public"."people"("id"));
      CREATE VIEW "public"."buyers" AS SELECT p.email FROM people p JOIN "sales"."orders" o ON o.person = p.id;`;
    await scene.write({ ...TABLES, '7001_sales': SALES });
    await scene.sql(`${BY_ANOTHER_HAND}; ${SALES}`);
    expect(await scene.run()).toMatchObject({ adopted: ['7000_people', '7001_sales'] });
  });
});

describe.concurrent('tables that match nothing', () => {
  it('stop the start, with the difference, and nothing is changed', async ({ scene }) => {
    await scene.write({ ...TABLES, ...COLUMN, ...ROWS });
    await scene.sql(BY_ANOTHER_HAND.replace('varying(200)', 'varying(20)').replace('DEFAULT 0', ''));
    await scene.sql('CREATE TABLE else_where (n int); DROP INDEX one_email_each');
    const error = await refusal(scene.run());
    expect(error).toMatchObject({ code: 'schema', migration: '7000_people' });
    expect(error.message.split('\n').filter((line) => line.startsWith('  '))).toEqual([
      '  different  column people.email: is character varying(20) not null; should be character varying(200) not null',
      `  different  column pets.age: is numeric(4,1); should be numeric(4,1) default '0'`,
      '  missing    index UNIQUE ON public.people USING btree (email)',
    ]);
    expect(await scene.sql(THE_JOURNAL)).toEqual([{ journal: null }]);
    expect(await scene.sql('SELECT nspname FROM pg_namespace WHERE nspname ~ $$^adopt$$')).toEqual([]);
    const status = await migrationStatus(scene.options());
    expect(status.problem?.message).toBe(error.message);
    expect(status.entries.map(({ inPlace }) => inPlace)).toEqual([undefined, undefined, undefined]);
  });

  it('such as half of a migration', async ({ scene }) => {
    await scene.write(TABLES);
    await scene.run();
    await scene.sql('ALTER TABLE people ADD one int');
    await scene.write({ ...TABLES, '7001_two': 'ALTER TABLE people ADD one int, ADD two int;' });
    const error = await refusal(scene.run());
    expect(error.message).toMatch(
      /as the recorded migrations leave them.*\n {2}unexpected column people.one: integer\n/,
    );
    await scene.sql('ALTER TABLE people ADD two int');
    expect(await scene.run()).toMatchObject({ adopted: ['7001_two'] });
  });

  it('such as one that its migration fills as it creates it', async ({ scene }) => {
    await scene.write({ ...TABLES, '7001_copy': 'CREATE TABLE copy AS SELECT email FROM people;' });
    await scene.sql(`${BY_ANOTHER_HAND}; CREATE TABLE copy (email varchar(200))`);
    expect((await refusal(scene.run())).message).toContain('it is not known whether its rows are there');
  });
});

describe.concurrent('an ordinary migration', () => {
  it('is applied beside whatever else there is', async ({ scene }) => {
    await scene.write(TABLES);
    await scene.run();
    await scene.sql(`CREATE TABLE others (n int); CREATE INDEX an_operators_own ON people (mood);
      ALTER TABLE pets ALTER age TYPE numeric(6,2); ${PERSON}`);
    await scene.write({ ...TABLES, ...COLUMN, ...ROWS });
    expect(await scene.run()).toMatchObject({ adopted: [], applied: ['7001_city', '7002_home'] });
    expect(await cities(scene)).toEqual(['home']);
  });

  it('finds by itself that an index was made beforehand, if it says so', async ({ scene }) => {
    await scene.write({ ...TABLES, ...COLUMN });
    await scene.run();
    await scene.sql('CREATE INDEX by_city ON people (city)');
    const more = { '7002_age': 'ALTER TABLE people ADD COLUMN age int;', ...INDEX };
    await scene.write({ ...TABLES, ...COLUMN, ...more });
    expect(await scene.run()).toMatchObject({ adopted: [], applied: Object.keys(more) });
  });

  it('is told by PostgreSQL that there is no schema to work in', async ({ scene }) => {
    await scene.write(TABLES);
    await scene.sql('CREATE TABLE before_us (n int)');
    const connection = { connectionString: scene.url, options: '-c search_path=nowhere' };
    expect((await refusal(scene.run({ connection }))).message).toContain('no schema has been selected');
  });

  it('looks once more where the database stood still', async ({ scene }) => {
    await scene.write(TABLES);
    await scene.sql(`${BY_ANOTHER_HAND}; CREATE SEQUENCE calls;
      CREATE FUNCTION stand_still() RETURNS event_trigger LANGUAGE plpgsql AS
        $$ BEGIN IF nextval('public.calls') = 1 THEN PERFORM pg_sleep(60); END IF; END $$;
      CREATE EVENT TRIGGER first_change ON ddl_command_start EXECUTE FUNCTION stand_still()`);
    expect(await scene.run()).toMatchObject({ adopted: Object.keys(TABLES), applied: [] });
  });

  it('goes on where migrations cannot be rehearsed, and an error tells why', async ({ scene }) => {
    await scene.sql('CREATE TABLE older (n int)');
    const files = { '0000_on_older': 'ALTER TABLE older ADD COLUMN m int;' };
    await scene.write(files);
    expect(await scene.run()).toMatchObject({ applied: ['0000_on_older'] });
    await scene.sql('ALTER TABLE older ADD k int');
    await scene.write({ ...files, '0001_again': 'ALTER TABLE older ADD COLUMN k int;' });
    expect((await refusal(scene.run())).message).toContain(
      'could not be seen: relation "older" does not exist.',
    );
  });
});

describe('migrate --status and --dry-run', () => {
  it('show what would be recorded, and what would run', async ({ scene }) => {
    await scene.write({ ...TABLES, ...COLUMN, ...ROWS });
    await scene.sql(`${BY_ANOTHER_HAND}; ALTER TABLE people ADD city text DEFAULT '' NOT NULL`);
    const { entries } = await migrationStatus(scene.options());
    expect(entries).toMatchObject([
      { name: '7000_people', state: 'pending', inPlace: true, sql: '' },
      { name: '7001_city', state: 'pending', inPlace: true, sql: '' },
      { name: '7002_home', state: 'pending', sql: ROWS['7002_home'] },
    ]);
    expect(await scene.sql(THE_JOURNAL)).toEqual([{ journal: null }]);
  });
});
