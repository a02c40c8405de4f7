drop schema pgboss cascade;
