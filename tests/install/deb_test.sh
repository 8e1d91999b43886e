#!/usr/bin/env bash
# The Debian package on a bare Debian 12, made by debootstrap: deb_test.sh PACKAGE.deb MODEL DIRECTORY. Needs root.
set -euo pipefail
package=$1 model=$2 root=$3
source "$(dirname "$0")/bare_debian.sh"

expect_file() { grep -q " \./$1$" <<<"$contents" || fail "expected $1 in the package, found"$'\n'"$contents"; }

contents=$(dpkg-deb --contents "$package")
for file in usr/bin/headway usr/share/man/man1/headway.1.gz usr/share/bash-completion/completions/headway \
  usr/share/doc/headway/changelog.gz usr/share/doc/headway/copyright; do
  expect_file $file
done
version=$(dpkg-deb --field "$package" Version)

cp "$package" "$root/tmp/headway.deb"
cp "$model" "$root/tmp/model.gguf"
started=$(date +%s%N)
install_packages --reinstall /tmp/headway.deb
[ "$(run headway --version)" = "headway $version" ] || fail "expected version $version, found $(run headway --version)"
text=$(run headway run /tmp/model.gguf -p "Once upon a time" -n 20)
[[ "$text" == "Once upon a time"* && ${#text} -gt 30 ]] || fail "expected a text, found '$text'"
seconds=$(((($(date +%s%N) - started) / 100000000)))  # of installing and of the first text
seconds=$((seconds / 10)).$((seconds % 10))
run bash -c 'source /usr/share/bash-completion/completions/headway; COMP_WORDS=(headway syn); COMP_CWORD=1; _headway
             [ "${COMPREPLY[*]}" = synth ]' || fail "expected the completion of 'syn' to be 'synth'"
run apt-get -qq purge -y --auto-remove headway >/dev/null  # and what came with it: the system is bare again
[ ! -e "$root/usr/bin/headway" ] || fail "expected nothing after removal, found usr/bin/headway"
echo "headway $version installs, runs and goes on a bare Debian 12: $(stat -c %s "$package") bytes, $seconds s"
