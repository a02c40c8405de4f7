#!/bin/sh
# Gives both roles the passwords that the files hold. psql quotes them, and they stand in no list of processes.
set -eu
: "${APP_OWNER_PASSWORD_FILE:?names the file with the password of app_owner}"
: "${APP_PASSWORD_FILE:?names the file with the password of app}"
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\set owner_password `cat "$APP_OWNER_PASSWORD_FILE"`
\set app_password `cat "$APP_PASSWORD_FILE"`
alter role app_owner password :'owner_password';
alter role app password :'app_password';
SQL
