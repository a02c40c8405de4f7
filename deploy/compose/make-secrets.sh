#!/bin/sh
# Makes every secret that is missing, each readable by those alone who need it. What is there stays as it is.
# Runs as root in the image of PostgreSQL, which it shares a number with: 999 is postgres (and redis), 1000 is node.
set -eu
umask 077

random() {
  head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'
}

# keep <file> <owner> <mode>: standard input, where the file is not there yet. Whole or not at all.
keep() {
  [ ! -s "$1" ] || return 0
  cat > "$1.new"
  chown "$2" "$1.new"
  chmod "$3" "$1.new"
  mv "$1.new" "$1"
  echo "made $1"
}

# For PostgreSQL's administrator, and for migrations.
random | keep /secrets/admin/postgres_password 999:999 0400
random | keep /secrets/admin/app_owner_password 999:1000 0440
# For the server.
random | keep /secrets/app/app_password 999:1000 0440
random | keep /secrets/app/internal_api_key 1000:1000 0400
random | keep /secrets/app/session_secret 1000:1000 0400
random | keep /secrets/app/encryption_key 1000:1000 0400
password=$(random)
if [ ! -s /secrets/app/redis_url ]; then
  rm -f /secrets/app/redis.conf
  printf 'requirepass %s\n' "$password" | keep /secrets/app/redis.conf 999:999 0400
  printf 'redis://:%s@redis:6379' "$password" | keep /secrets/app/redis_url 1000:1000 0400
fi
