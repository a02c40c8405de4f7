import type { Queryable } from '../../platform/database/pool/client.ts';

/** What there is in some schemas: the name of each thing, and how PostgreSQL itself writes it down. */
export type Catalogue = ReadonlyMap<string, string>;

/**
 * Constraints and indexes go by what they say, because tools name them differently; a unique constraint is the index that
 * enforces it. Left out are things that tell nothing of what the tables hold: owners, grants, comments, storage, the order
 * of columns, whether a table is logged. Functions, triggers, domains and extensions are left out as well: see adopt.ts.
 *
 * $1: schemas; $2: the one whose name is not written. Expressions are written as the search path makes them readable.
 */
const READ = `
with thing as (
  select c.oid, c.relkind, c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relispartition, c.relpartbound,
    case n.nspname when $2 then '' else quote_ident(n.nspname) || '.' end as prefix
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = any ($1)
    and not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = c.oid and deptype = 'e')
), named as (select *, prefix || quote_ident(relname) as name from thing)
select case relkind when 'v' then 'view ' when 'm' then 'materialized view ' else 'table ' end || name as name,
  concat_ws(' ', case when relkind in ('v', 'm') then pg_get_viewdef(oid) else 'there' end,
    case when relkind = 'p' then 'partition by ' || pg_get_partkeydef(oid) end,
    case when relispartition then pg_get_expr(relpartbound, oid) end,
    case when relrowsecurity then 'with row security' end,
    case when relforcerowsecurity then 'forced' end) as text
  from named where relkind in ('r', 'p', 'f', 'v', 'm')
union all
select 'column ' || name || '.' || quote_ident(attname), concat_ws(' ',
    format_type(atttypid, atttypmod),
    case when attcollation <> 0 and attcollation <> typcollation then 'collate ' || attcollation::regcollation end,
    case when attnotnull then 'not null' end,
    case attidentity when 'a' then 'always as identity' when 'd' then 'by default as identity' end,
    case when attidentity <> '' then (select format('(%s, %s to %s, cycle %s)', seqincrement, seqmin, seqmax, seqcycle)
      from pg_sequence where seqrelid = pg_get_serial_sequence(named.oid::regclass::text, attname)::regclass) end,
    case attgenerated when 's' then 'stored' when 'v' then 'virtual' end,
    case when adbin is not null then case when attgenerated = '' then 'default ' else 'as ' end || pg_get_expr(adbin, adrelid) end)
  from named join pg_attribute on attrelid = named.oid join pg_type on pg_type.oid = atttypid
    left join pg_attrdef on adrelid = attrelid and adnum = attnum
  where relkind in ('r', 'p', 'f', 'c') and attnum > 0 and not attisdropped
union all
select 'index ' || regexp_replace(pg_get_indexdef(named.oid), '^CREATE (UNIQUE )?INDEX ("(?:[^"]|"")+"|\\S+) ON (ONLY )?', '\\1ON '),
    concat_ws(' ', 'there', case when condeferrable then 'deferrable' end, case when condeferred then 'deferred' end)
  from named join pg_index on indexrelid = named.oid left join pg_constraint on conindid = named.oid and contype in ('p', 'u', 'x')
  where indisvalid and contype is distinct from 'p' and contype is distinct from 'x'
union all
select 'constraint on ' || name || ': ' || pg_get_constraintdef(pg_constraint.oid), 'there'
  from named join pg_constraint on conrelid = named.oid where contype in ('p', 'f', 'c', 'x') and conparentid = 0
union all
select 'sequence ' || name, format('%s (%s, %s to %s, cycle %s)', seqtypid::regtype, seqincrement, seqmin, seqmax, seqcycle)
  from named join pg_sequence on seqrelid = named.oid
  where not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = named.oid and deptype = 'i')
union all
select 'policy ' || quote_ident(polname) || ' on ' || name, concat_ws(' ', case when polpermissive then 'permissive' else 'restrictive' end,
    'for', polcmd, 'to', (select string_agg(case r when 0 then 'public' else r::regrole::text end, ', ' order by r) from unnest(polroles) r),
    'using ' || pg_get_expr(polqual, polrelid), 'with check ' || pg_get_expr(polwithcheck, polrelid))
  from named join pg_policy on polrelid = named.oid
union all
select 'type ' || case n.nspname when $2 then '' else quote_ident(n.nspname) || '.' end || quote_ident(typname),
    'enum ' || (select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder) from pg_enum where enumtypid = t.oid)
  from pg_type t join pg_namespace n on n.oid = typnamespace
  where typtype = 'e' and n.nspname = any ($1)
    and not exists (select from pg_depend where classid = 'pg_type'::regclass and objid = t.oid and deptype = 'e')
union all
select 'schema ' || quote_ident(nspname), 'there' from pg_namespace where nspname = any ($1) and nspname <> $2`;

/**
 * Reads what there is.
 *
 * @param schemas Where to look; those that do not exist are empty.
 * @param usual The schema whose things are named without it.
 * @param prefix Taken out of every name: see adopt.ts.
 */
export async function readCatalogue(
  reader: Queryable,
  schemas: string[],
  usual: string,
  prefix = '',
): Promise<Catalogue> {
  const { rows } = await reader.query(READ, [schemas.map((name) => prefix + name), prefix + usual]);
  const own = (text: string) => (prefix ? text.replaceAll(prefix, '') : text);
  return new Map(rows.map(({ name, text }) => [own(name), plainDefault(own(text))]));
}

/** The column has a type, so it makes no difference as what a default is written: `0`, `'0'`, `'0'::numeric`. */
function plainDefault(text: string): string {
  return text.replace(
    / default \(*(-?[\d.]+|'(?:[^']|'')*')\)*(?:::[\w\s".,()[\]:]+)?$/,
    (_, literal: string) => ` default '${literal.replace(/^'|'$/g, '')}'`,
  );
}

/** Names of what differs between two, in order. */
export function differing(one: Catalogue, other: Catalogue): string[] {
  const names = new Set([...one.keys(), ...other.keys()]);
  return [...names].filter((name) => one.get(name) !== other.get(name)).sort();
}
