#!/bin/sh
# Submits one operation with kcat; its Name makes it safe to run again: the same Name and content is the same operation.
#   BGOP_KAFKA=127.0.0.1:9092 ./submit.sh [NAME]
set -eu
key=acct-42 name=${1:-from-kcat}
printf '%s:{"Type":"WebCart","ParentKey":"%s","Name":"%s","Payload":{"items":3}}\n' "$key" "$key" "$name" |
    kcat -P -b "$BGOP_KAFKA" -t bgop.submit -K : -X acks=all -X enable.idempotence=true
