#!/bin/sh
while IFS= read -r member; do
    id=$(printf '%s' "$member" | sed 's/^{"Id":"\([^"]*\)".*/\1/')     # Id comes first
    if printf '%s' "$member" | grep -q '"Payload":"good'; then         # the work
        printf '{"Id":"%s","Outcome":"ok","Result":"done by %s"}\n' "$id" "$BGOP_TYPE"
    else
        printf '{"Id":"%s","Outcome":"error","Error":"not good"}\n' "$id"
    fi
done
