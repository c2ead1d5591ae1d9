# Sourced by the scripts of the tests: what they say about arguments, before they do anything.
# shellcheck shell=bash

# The comment that the script begins with.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }

wrong() {
    printf '%s: %s\n\n' "$(basename "$0")" "$*" >&2
    usage >&2
    exit 64
}

# whole NAME VALUE: a number above 0 that a shell can count to.
whole() { [[ $2 =~ ^[1-9][0-9]{0,17}$ ]] || wrong "$1: a whole number above 0 is wanted, not '$2'"; }

# above_0 NAME VALUE: likewise, with decimals.
above_0() { [[ $2 =~ ^[0-9]{1,9}(\.[0-9]+)?$ && $2 == *[1-9]* ]] || wrong "$1: a number above 0 is wanted, not '$2'"; }

# at_most COUNT ARGUMENT...
at_most() { [ $# -le $(($1 + 1)) ] || wrong "'${*:$(($1 + 2))}' is too much"; }

help_asked() {
    case ${1:-} in
    -h | --help) usage; exit 0 ;;
    esac
}

no_arguments() {
    help_asked "$@"
    [ $# -eq 0 ] || wrong "takes no arguments, such as '$*'"
}

# For ctest: it passes over a word that it does not know and runs everything.
options_of_ctest() {
    help_asked "$@"
    [[ $# -eq 0 || $1 == -* ]] || wrong "'$1' is no option of ctest; tests of a label: -L $1, of a name: -R $1"
}
