#!/bin/sh
# The Versity S3 Gateway over /data; ROOT_ACCESS_KEY and ROOT_SECRET_KEY are its root user. Arguments go to it.
set -eu
mkdir -p /data/buckets /data/metadata /data/versions /data/users
exec versitygw "$@" posix /data/buckets
