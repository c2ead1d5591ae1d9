# Sourced by run, quick and nightly: phases with their time, and the end that all of them share.
# shellcheck shell=bash

# shellcheck source=arguments.sh
. "$(dirname "${BASH_SOURCE[0]}")/arguments.sh"

top=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
export PYTHONDONTWRITEBYTECODE=1

# The labels that run under the sanitizers; of the simulation some seeds only (tests/CMakeLists.txt): it works on the Lua code.
# shellcheck disable=SC2034 # for run
sanitized='^(unit|functions|simulation|e2e)$'

times=() results=() failures=() failed=0

# phase TITLE COMMAND...: runs it and notes how long it took. A failed test run does not keep the
# next phase from running, everything else does.
phase() {
    local title=$1 begin=$SECONDS code=0
    shift
    printf '\n==== %s\n' "$title"
    "$@" </dev/null || code=$?
    times+=("$(printf '%5d s  %s%s' $((SECONDS - begin)) "$title" "$([ $code -eq 0 ] || echo "  FAILED")")")
    if [ $code -ne 0 ]; then
        failed=1
        [[ $1 == run_ctest* ]] || summary
    fi
}

build() {
    (cd "$top" && cmake --preset "$1" >"$top/build/$1.log" 2>&1 && cmake --build --preset "$1" >>"$top/build/$1.log" 2>&1) || {
        tail -n 60 "$top/build/$1.log"
        return 1
    }
    echo "built in build/$1"
}

# Of a run's output: which tests failed, and what they said of it themselves. The rest is far above.
why() {
    grep -E '^ *[0-9]+/[0-9]+ Test .*\*\*\*|^\[  (ERROR  |FAILED) |^\[   LINE |^[A-Za-z.]*Error\b|^(FAIL|ERROR): |ERROR: [A-Z].*Sanitizer' "$1" | cut -c1-300 | head -n 60
}

# Two tests for each core: most of them wait for servers nearly all the time, and those that compute count twice
# (PROCESSORS in CMakeLists.txt). Everything that ctest says goes through; its last part, from the result on, is kept for the end.
run_ctest() {
    local preset=$1 out code=0
    shift
    out=$(mktemp)
    ctest --test-dir "$top/build/$preset" -j$((2 * $(nproc))) --output-on-failure --no-tests=error "$@" 2>&1 | tee "$out" || code=$?
    mapfile -t -O "${#failures[@]}" failures < <(why "$out" | sed "s/^/$preset: /")
    results+=("$(printf '%s: ' "$preset"; sed -n '/tests passed,/,$p' "$out"; grep -m1 '^No tests were found' "$out" || true)")
    rm -f "$out"
    return $code
}

summary() {
    printf '\n==== times\n'
    printf '%s\n' "${times[@]}"
    if [ ${#results[@]} -gt 0 ]; then
        printf '\n==== results\n'
        printf '%s\n' "${results[@]}"
    fi
    if [ ${#failures[@]} -gt 0 ]; then
        printf '\n==== what failed, and why\n'
        printf '%s\n' "${failures[@]}"
    fi
    exit $failed
}

mkdir -p "$top/build"
