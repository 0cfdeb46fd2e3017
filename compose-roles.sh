#!/bin/sh
# Runs once, when the cluster of compose.yaml is made: the owner of the schema, an ordinary role. It may create the role of the service.
set -eu
psql --set ON_ERROR_STOP=1 --set owner="$(cat /run/secrets/postgres_password)" \
  --username "$POSTGRES_USER" --no-password --dbname postgres <<'SQL'
create role latchkey login createrole password :'owner';
create database latchkey owner latchkey;
SQL
