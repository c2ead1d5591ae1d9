#!/bin/sh
# Manual pages: roff has nothing to warn of, and they hold what the programs' tables hold.
#   manual_pages.sh BUILD-FOLDER SOURCE-FOLDER
set -eu
pages=$1/deploy/man bin=$1/bin source=$2
export LC_ALL=C.UTF-8 MANWIDTH=300
for page in bgop.1 bgopctl.1 libbgop.3 bgop.conf.5 bgop-coordinator.8 bgop-worker.8; do
    warnings=$(man --warnings -E UTF-8 -Tutf8 -l "$pages/$page" 2>&1 >/dev/null)
    [ -z "$warnings" ] || { echo "$page: $warnings"; exit 1; }
done
text() { man -E UTF-8 -Tutf8 -l "$pages/$1" | col -b; }

# wanted PAGE WORD...: each stands at the start of a line
wanted() {
    page=$1
    shift
    text "$page" >"$folder/page"
    for word; do
        grep -qE "^ *$word( |\$)" "$folder/page" || { echo "$page does not tell of $word"; exit 1; }
    done
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# shellcheck disable=SC2046 # words are meant
wanted bgop.conf.5 $(sed -n 's/^;* *\([a-z_]*\) = .*/\1/p' "$source/deploy/bgop.ini" | sort -u)
# shellcheck disable=SC2046
wanted bgopctl.1 $("$bin/bgopctl" help | sed -n 's/^  \([a-z]*\)  .*/\1/p')
# shellcheck disable=SC2046
wanted bgop.1 $("$bin/bgop" dev --help | sed -n 's/^  \(--[a-z-]*\) .*/\1/p') dev BGOP_LOG_LEVEL BGOP_HTTP_TOKEN 78
[ "$("$bin/bgop" dev --help | grep -c '^  --')" -ge 11 ] # and they were found there
for page in bgopctl.1 bgop.conf.5 bgop-coordinator.8 bgop-worker.8; do
    text "$page" | grep -q 'bgop(1)' || { echo "$page does not point to bgop(1)"; exit 1; }
done
wanted bgop-coordinator.8 --rebuild --config BGOP_REDIS 78
wanted bgop-worker.8 --config BGOP_KAFKA 78
wanted libbgop.3 BGOP_UNKNOWN
text libbgop.3 | grep -q 'enum bgop_code bgop_submit(struct bgop \*bgop'
