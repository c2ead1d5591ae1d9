#!/bin/sh
# Debian packages: each has what it should, in its place, and knows what it needs.
#   package.sh BUILD-FOLDER SOURCE-FOLDER
set -eu
build=$1
to=$(mktemp -d)
trap 'rm -rf "$to"' EXIT
(cd "$build" && cpack -G DEB -B "$to" >"$to/said" 2>&1) || { cat "$to/said"; exit 1; }
for name in bgop libbgop0 libbgop-dev; do
    dpkg-deb --fsys-tarfile "$to/${name}_"*.deb | tar -t | sed 's/^\.//' >"$to/$name"
done

# has PACKAGE FILE...
has() {
    name=$1
    shift
    for file; do
        grep -qE "^$file\$" "$to/$name" || { echo "$name has no $file:"; cat "$to/$name"; exit 1; }
    done
}
field() { dpkg-deb --field "$to/$1_"*.deb "$2"; }

has bgop /usr/bin/bgop /usr/bin/bgopctl /usr/bin/bgop-coordinator /usr/bin/bgop-worker /usr/bin/bgop-exec-host \
    /etc/bgop/bgop.ini /usr/lib/systemd/system/bgop-coordinator.service /usr/lib/systemd/system/bgop-worker@.service \
    /usr/lib/sysusers.d/bgop.conf /usr/share/man/man1/bgop.1 /usr/share/man/man1/bgopctl.1 /usr/share/bgop/bgop.lua \
    /usr/share/bash-completion/completions/bgopctl /usr/share/zsh/vendor-completions/_bgopctl
has libbgop0 '/usr/lib/.*libbgop\.so\.0'
has libbgop-dev /usr/include/bgop/bgop.h '/usr/lib/.*libbgop\.so' '/usr/lib/.*libbgop\.a' '/usr/lib/.*libbgop\.pc' \
    /usr/share/man/man3/libbgop.3 /usr/share/doc/libbgop-dev/examples/example.c
for name in bgop libbgop0 libbgop-dev; do
    has $name "/usr/share/doc/$name/copyright"
done
if grep -h '[^/]$' "$to/bgop" "$to/libbgop0" "$to/libbgop-dev" | sort | uniq -d | grep .; then
    echo "is in two packages"
    exit 1
fi
field bgop Depends | grep -q 'librdkafka1' || { echo "bgop does not depend on librdkafka1"; exit 1; }
field libbgop-dev Depends | grep -q 'libbgop0 (= ' || { echo "libbgop-dev does not depend on libbgop0"; exit 1; }
dpkg-deb --info "$to"/bgop_*.deb conffiles | grep -qx /etc/bgop/bgop.ini
dpkg-deb --fsys-tarfile "$to"/bgop_*.deb | tar -xO ./usr/lib/systemd/system/bgop-coordinator.service >"$to/unit"
grep -qx 'ExecStart=/usr/bin/bgop-coordinator --config /etc/bgop/bgop.ini' "$to/unit"
