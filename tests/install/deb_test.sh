#!/usr/bin/env bash
# The Debian package on a bare Debian 12, made by debootstrap: deb_test.sh PACKAGE.deb MODEL DIRECTORY. Needs root.
set -euo pipefail
package=$1 model=$2 root=$3
mirror=${HEADWAY_DEBIAN_MIRROR:-http://deb.debian.org/debian}

fail() { echo "deb_test: $*" >&2; exit 1; }
expect_file() { grep -q " \./$1$" <<<"$contents" || fail "expected $1 in the package, found"$'\n'"$contents"; }

contents=$(dpkg-deb --contents "$package")
for file in usr/bin/headway usr/share/man/man1/headway.1.gz usr/share/bash-completion/completions/headway \
  usr/share/doc/headway/changelog.gz usr/share/doc/headway/copyright; do
  expect_file $file
done
version=$(dpkg-deb --field "$package" Version)

if [ ! -x "$root/bin/bash" ] || [ -e "$root/debootstrap" ]; then  # the latter: it was interrupted
  rm -rf "$root"
  debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
    { tail -20 "$root.log" >&2; fail "debootstrap failed"; }
fi
cp "$package" "$root/tmp/headway.deb"
cp "$model" "$root/tmp/model.gguf"
run() { chroot "$root" env HOME=/tmp DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
run apt-get -qq update
run apt-get -qq install -y --no-install-recommends --reinstall /tmp/headway.deb >"$root.log" 2>&1 ||
  { tail -20 "$root.log" >&2; fail "apt-get install failed"; }
[ "$(run headway --version)" = "headway $version" ] || fail "expected version $version, found $(run headway --version)"
text=$(run headway run /tmp/model.gguf -p "Once upon a time" -n 20)
[[ "$text" == "Once upon a time"* && ${#text} -gt 30 ]] || fail "expected a text, found '$text'"
run bash -c 'source /usr/share/bash-completion/completions/headway; COMP_WORDS=(headway syn); COMP_CWORD=1; _headway
             [ "${COMPREPLY[*]}" = synth ]' || fail "expected the completion of 'syn' to be 'synth'"
run apt-get -qq remove -y headway >/dev/null
[ ! -e "$root/usr/bin/headway" ] || fail "expected nothing after removal, found usr/bin/headway"
echo "headway $version installs, runs and goes on a bare Debian 12"
