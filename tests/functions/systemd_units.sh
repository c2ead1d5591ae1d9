#!/bin/sh
# The systemd units as they are installed: systemd finds nothing wrong with them, and little to attack.
#   systemd_units.sh BUILD-FOLDER SOURCE-FOLDER
set -eu
build=$1
to=$(mktemp -d)
trap 'rm -rf "$to"' EXIT
cmake --install "$build" --component programs --prefix "$to/usr" >/dev/null
units=$to/usr/lib/systemd/system
# verify looks for the manual pages too.
MANPATH=$to/usr/share/man SYSTEMD_UNIT_PATH=$units: systemd-analyze verify --recursive-errors=no \
    "$units/bgop-coordinator.service" "$units/bgop-worker@web.service" >"$to/said" 2>&1 || { cat "$to/said"; exit 1; }
[ ! -s "$to/said" ] || { cat "$to/said"; exit 1; }
for unit in bgop-coordinator.service bgop-worker@.service; do
    systemd-analyze security --offline=true --threshold=29 "$units/$unit" >"$to/said" 2>&1 ||
        { echo "$unit is more exposed than 2.9:"; cat "$to/said"; exit 1; }
done
systemd-sysusers --dry-run --root="$to" "$to/usr/lib/sysusers.d/bgop.conf" 2>&1 | grep -q "user .bgop."
