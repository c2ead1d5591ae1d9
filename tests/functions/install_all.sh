#!/bin/sh
# cmake --install as a person calls it: everything is there, in its place, and the programs run from there.
#   install_all.sh BUILD-FOLDER SOURCE-FOLDER
set -eu
build=$1 source=$2
to=$(mktemp -d)
dev=
trap '[ -z "$dev" ] || { kill "$dev"; wait "$dev" || true; }; rm -rf "$to"' EXIT
cmake --install "$build" --prefix "$to/usr" >/dev/null
cd "$to/usr"

for program in bgop bgop-coordinator bgop-exec-host bgop-worker bgopctl; do
    [ -x "bin/$program" ] || { echo "bin/$program is not there"; exit 1; }
done
for file in etc/bgop/bgop.ini share/bgop/bgop.lua share/bgop/redis.conf share/bgop/users.acl \
    share/doc/bgop/CHANGELOG.md share/doc/bgop/RELIABILITY.md share/doc/bgop/UPGRADE.md share/doc/bgop/copyright \
    lib/systemd/system/bgop-coordinator.service lib/systemd/system/bgop-worker@.service lib/sysusers.d/bgop.conf \
    share/man/man1/bgop.1 share/man/man1/bgopctl.1 share/man/man5/bgop.conf.5 share/man/man8/bgop-coordinator.8 share/man/man8/bgop-worker.8 \
    share/man/man3/libbgop.3 share/bash-completion/completions/bgopctl share/zsh/site-functions/_bgopctl \
    include/bgop/bgop.h; do
    [ -s "$file" ] || { echo "$file is not there"; find . -type f; exit 1; }
done
cmp etc/bgop/bgop.ini "$source/deploy/bgop.ini"
[ -n "$(find . -name libbgop.so)" ] && [ -n "$(find . -name libbgop.a)" ]

# Units name what was installed beside them, and nothing is left to be filled in.
grep -q "^ExecStart=$to/usr/bin/bgop-coordinator --config $to/usr/etc/bgop/bgop.ini\$" \
    lib/systemd/system/bgop-coordinator.service
grep -q "^ExecStart=$to/usr/bin/bgop-worker " lib/systemd/system/bgop-worker@.service
if grep -rnE '@[A-Z]+@' lib/systemd lib/sysusers.d; then exit 1; fi

# Nothing of the build folder is needed: a whole queue runs, with a handler under bgop-exec-host.
printf '[type WebCart]\nhandler = exec\ncommand = cat\n' >"$to/queue.ini"
bin/bgop dev --quiet --config "$to/queue.ini" --port-file "$to/ports" &
dev=$!
tries=0
until [ -s "$to/ports" ]; do
    kill -0 "$dev" 2>/dev/null || { echo "bgop dev ended"; exit 1; }
    tries=$((tries + 1))
    [ $tries -lt 1200 ] || { echo "bgop dev is not ready"; exit 1; }
    sleep 0.1
done
set -a
# shellcheck disable=SC1091 # written a moment ago
. "$to/ports"
set +a
id=$(bin/bgopctl submit --type WebCart --payload '"installed"')
bin/bgopctl wait "$id" --timeout 60
bin/bgopctl get "$id" | grep -q installed
