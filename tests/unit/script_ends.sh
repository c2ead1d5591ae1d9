# Sourced by the tests of scripts: how a script ended. They have a folder of their own in $scratch, and end with $failed.
# shellcheck shell=bash disable=SC2154,SC2034

failed=0

# ends WITH STREAM TEXT COMMAND...: in this exit code, with the text on this of its streams (out, err), the other empty.
ends() {
    local with=$1 stream=$2 text=$3 code=0
    shift 3
    "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || code=$?
    if [ $code -ne "$with" ] || ! grep -qF -- "$text" "$scratch/$stream" ||
        { [ -s "$scratch/out" ] && [ -s "$scratch/err" ]; }; then
        echo "$*: $code instead of $with, or not '$text' on std$stream:"
        cat "$scratch/out" "$scratch/err"
        failed=1
    fi
}

refuses() { ends 64 err "$@"; }
