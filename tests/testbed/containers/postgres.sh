#!/bin/sh
# Postgres, told what to be by the variables that the official image knows: POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE,
# POSTGRES_USER, POSTGRES_DB, PGDATA. Arguments go to the server.
set -eu
umask 077
: "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "${POSTGRES_PASSWORD:-}" ] && [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
        POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    fi
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "neither POSTGRES_PASSWORD nor POSTGRES_PASSWORD_FILE is set" >&2
        exit 1
    fi
    printf '%s\n' "$POSTGRES_PASSWORD" >/tmp/password
    mkdir -p "$PGDATA"
    initdb --no-sync --username="$POSTGRES_USER" --pwfile=/tmp/password --auth=scram-sha-256 \
        --encoding=UTF8 --locale=C.UTF-8 >/dev/null
    rm /tmp/password
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    if [ "$POSTGRES_DB" != postgres ]; then
        quoted=$(printf %s "$POSTGRES_DB" | sed 's/"/""/g')
        echo "CREATE DATABASE \"$quoted\"" | postgres --single -D "$PGDATA" postgres >/dev/null
    fi
fi
unset POSTGRES_PASSWORD
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
