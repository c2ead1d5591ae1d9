#!/bin/sh
# SiteTaskPublish: the payload is the path of a page; a compressed copy of it is put beside it. Doing it
# twice does no harm, as a handler must allow: the copy appears by a rename, whole or not at all.
set -eu
IFS='' read -r page || [ -n "$page" ]
if [ ! -f "$page" ]; then
    echo "no such page: $page" >&2
    exit 65
fi
gzip -n -9 <"$page" >"$page.gz.$BGOP_TOKEN"
mv "$page.gz.$BGOP_TOKEN" "$page.gz"
printf 'published %s' "$(basename "$page").gz"
