# Sourced by quick and nightly: runs one after the other, each in a queue of its own; what they said, and the table.
# shellcheck shell=bash

# shellcheck source=../arguments.sh
. "$(dirname "${BASH_SOURCE[0]}")/../arguments.sh"

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
export PYTHONDONTWRITEBYTECODE=1
rows=() failed=0 chosen=() seed=1

tier_begin() {
    help_asked "$@"
    seed=${1:-$(($(date +%s) / 86400))}
    whole SEED "$seed"
    chosen=("${@:2}")
    local name known
    known=$("$here/run" --list) # whole: a reader that leaves early would break its pipe
    for name in "${chosen[@]}"; do
        grep -q "^$name " <<<"$known" || wrong "there is no run '$name'"
    done
    said=$(mktemp)
    trap 'rm -f "$said"' EXIT
}

is_chosen() {
    [ ${#chosen[@]} -eq 0 ] || printf '%s\n' "${chosen[@]}" | grep -qx -- "$1"
}

# fault_run RUN OPTION...
fault_run() {
    is_chosen "$1" || return 0
    local begin=$SECONDS code=0
    printf '\n==== %s\n' "$*"
    "$here/run" "$@" --seed "$seed" ${BGOP_FAULT_BACK:+--back "$BGOP_FAULT_BACK"} </dev/null 2>&1 | tee "$said" || code=$?
    [ $code -eq 0 ] || failed=1
    rows+=("$(grep "^| $1 |" "$said" || echo "| $1 | ended with $code |")")
    printf '%s s\n' $((SECONDS - begin))
}

tier_end() {
    printf '\n==== seed %s\n' "$seed"
    grep '^| run |' -A1 "$said" || true
    printf '%s\n' "${rows[@]}"
    exit $failed
}
