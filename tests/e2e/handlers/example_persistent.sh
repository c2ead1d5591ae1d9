#!/bin/sh
while IFS= read -r operation; do
    id=${operation#'{"Id":"'}                   # Id comes first
    id=${id%%\"*}
    case $operation in
    *'"Payload":"{\"name\"'*) printf '{"Id":"%s","Outcome":"ok","Result":"ONE"}\n' "$id" ;;   # the work
    *) printf '{"Id":"%s","Outcome":"permanent","Error":"unusable"}\n' "$id" ;;
    esac
done
