-- Two roles, so that the server that faces visitors cannot change tables: app_owner applies migrations and owns what they
-- make; app reads and writes rows, and serves with MIGRATE_ON_START=false. Neither has a password yet.
--
-- The image of PostgreSQL runs this once, for an empty data folder. Elsewhere, as an administrator of the database:
-- psql --single-transaction --set=ON_ERROR_STOP=1 --file=10-roles.sql "$DATABASE_URL"

create role app_owner login;
create role app login;
-- An administrator who is no superuser, as managed databases give one, must be a member to act for it below.
grant app_owner to current_user;

do $$
begin
  -- By default everybody may connect to every database, and make temporary tables in it.
  execute format('revoke all on database %I from public', current_database());
  -- To create, for the schema of the journal of migrations, and for extensions.
  execute format('grant connect, create on database %I to app_owner', current_database());
  execute format('grant connect on database %I to app', current_database());
end
$$;

revoke all on schema public from public;
grant usage, create on schema public to app_owner;
grant usage on schema public to app;
alter default privileges for role app_owner in schema public grant select, insert, update, delete on tables to app;
alter default privileges for role app_owner in schema public grant usage, select on sequences to app;

-- The journal: the server reads in it whether anything is pending.
create schema drizzle authorization app_owner;
grant usage on schema drizzle to app;
alter default privileges for role app_owner in schema drizzle grant select on tables to app;

-- The table of jobs, which pg-boss's statements read and write; a migration makes it.
create schema pgboss authorization app_owner;
grant usage on schema pgboss to app;
alter default privileges for role app_owner in schema pgboss grant select, insert, update, delete on tables to app;
