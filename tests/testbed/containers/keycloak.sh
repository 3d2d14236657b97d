#!/bin/sh
# Keycloak with its database in a file; KC_BOOTSTRAP_ADMIN_USERNAME and KC_BOOTSTRAP_ADMIN_PASSWORD are its first
# administrator. Where they are those of the prepared database, a copy of it is taken, for to make one takes a while.
# It writes to /tmp only, and its data to the volume at /opt/keycloak/data where there is one. Arguments go to `start`;
# the official image's own `start` and `start-dev` before them may stand there and mean the same.
set -eu
home=/tmp/keycloak
mkdir -p "$home/tmp"
if [ -d /opt/keycloak/data ]; then
    ln -sfn /opt/keycloak/data "$home/data"
else
    mkdir -p "$home/data"
fi
for name in lib conf providers themes; do
    ln -sfn "/opt/keycloak/$name" "$home/$name"
done
if [ ! -e "$home/data/h2" ] &&
    [ "${KC_BOOTSTRAP_ADMIN_USERNAME:-}/${KC_BOOTSTRAP_ADMIN_PASSWORD:-}" = "$PREPARED_ADMIN" ]; then
    cp -r /opt/keycloak/database "$home/data/h2"
fi
case "${1:-}" in start | start-dev) shift ;; esac
# shellcheck disable=SC2086 — words without blanks
exec java $KEYCLOAK_JAVA_OPTIONS "-Dkc.home.dir=$home" "-Djboss.server.config.dir=$home/conf" \
    "-Djava.io.tmpdir=$home/tmp" -cp /opt/keycloak/lib/quarkus-run.jar \
    io.quarkus.bootstrap.runner.QuarkusEntryPoint start --optimized --http-enabled=true --http-port=8080 \
    --hostname-strict=false --cache=local "$@"
