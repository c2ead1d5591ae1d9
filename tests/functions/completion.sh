#!/bin/bash
# Completion of bgopctl's words, as the shells call it.
#   completion.sh BUILD-FOLDER SOURCE-FOLDER
set -euo pipefail
bin=$1/bin
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for shell in bash zsh; do
    "$bin/bgopctl" completion $shell >"$folder/$shell"
    $shell -n "$folder/$shell"
done
shellcheck -s bash "$folder/bash"
# shellcheck disable=SC1091 # written a moment ago
source "$folder/bash"
complete=_bgopctl

# expect WORDS-THAT-COME-OUT WORD...: the last word is being typed
expect() {
    local wanted=$1
    shift
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    "$complete"
    if [ "${COMPREPLY[*]-}" != "$wanted" ]; then
        echo "$*: \"${COMPREPLY[*]-}\" instead of \"$wanted\""
        exit 1
    fi
}
expect 'redrive resume recover' bgopctl re
expect 'redrive resume recover' bgopctl --config x re
expect 'workers' bgopctl --redis = x wor
expect '--status' bgopctl list --st
expect 'Complete' bgopctl list --status Com
expect 'Complete' bgopctl list --status = Com
expect 'WebCart' bgopctl submit --type WebC
expect '' bgopctl submit --type ExternalConnectivityP
expect '' bgopctl submit --parent W
expect 'wait watch' bgopctl help wa
expect 'ParentKey' bgopctl lookup P
expect 'bash' bgopctl completion b
touch "$folder/queue.ini"
expect "$folder/queue.ini" bgopctl stats --config "$folder/q"
# Every command that there is.
expect "$("$bin/bgopctl" help | sed -n 's/^  \([a-z]*\)  .*/\1/p' | paste -sd ' ')" bgopctl ''

# zsh completes in a terminal of its own: each line is typed, with a tab behind it, and shows what became of it.
cat >"$folder/type" <<'ZSH'
zmodload zsh/zpty
zpty -b shell zsh -f -i
zpty -w shell 'PS1="ready> "; autoload -U compinit; compinit -u -d '$1'/dump; source '$1'/zsh; setopt no_beep; print be''gun'
zpty -r -m shell line '*begun*ready> *'
for typed in 'bgopctl worke' 'bgopctl list --status=Com' 'bgopctl lookup Par'; do
    zpty -w -n shell "$typed"$'\t'
    zpty -r -m shell line "*$typed*( |${typed##*[ =]}[a-zA-Z]## )*"
    print -r -- "$line"
    zpty -w shell $'\x15'
    zpty -r -m shell line '*ready> *'
done
zpty -d shell
ZSH
PATH=$bin:$PATH timeout 60 zsh -f "$folder/type" "$folder" >"$folder/typed" || { echo "zsh did not complete"; cat -v "$folder/typed"; exit 1; }
for word in workers Complete ParentKey; do
    grep -q "$word" "$folder/typed" || { echo "zsh did not complete $word"; cat -v "$folder/typed"; exit 1; }
done
