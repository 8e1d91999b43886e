#!/bin/sh
# Writes the o200k reference that the slow tokenizer tests read: make.sh [directory], by default build/o200k.
# Needs node (18 or later) and npm; fetches the pinned npm package `tiktoken`, an independent implementation that
# carries the vocabulary. Does nothing when the directory is up to date.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../../build/o200k}
mkdir -p "$out"
stamp=$(cat "$here/package-lock.json" "$here"/*.mjs | cksum)
if [ -f "$out/stamp" ] && [ "$(cat "$out/stamp")" = "$stamp" ]; then exit 0; fi
rm -f "$out/stamp"
cp "$here"/*.mjs "$here/package.json" "$here/package-lock.json" "$out/"
cd "$out"
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
node reference.mjs .
echo "$stamp" > stamp
