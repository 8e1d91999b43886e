#!/bin/sh
# Writes the references that the slow tokenizer tests read: make.sh [directory], by default build/tokenizer_reference.
# Needs node (18 or later) and npm; fetches the pinned npm packages `tiktoken` and `llama-tokenizer-js`, independent
# implementations that carry their vocabularies. Does nothing when the directory is up to date.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../../build/tokenizer_reference}
mkdir -p "$out"
stamp=$(cat "$here/package-lock.json" "$here"/*.mjs | cksum)
if [ -f "$out/stamp" ] && [ "$(cat "$out/stamp")" = "$stamp" ]; then exit 0; fi
rm -f "$out/stamp"
cp "$here"/*.mjs "$here/package.json" "$here/package-lock.json" "$out/"
cd "$out"
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
node reference.mjs .
echo "$stamp" > stamp
