#!/bin/sh
# Debian's arm64 libraries that the tool and its tests link, unpacked below a folder: no root, and the machine's own
# package database does not learn of another architecture.
#
#   tools/arm64/libraries.sh build/arm64-libraries
set -eu
packages="libfmt-dev libfmt9 libpcre2-dev libpcre2-8-0 nlohmann-json3-dev libcli11-dev libxxhash-dev libxxhash0
  libexpected-dev libprotobuf-dev libprotobuf32 zlib1g zlib1g-dev libcpp-httplib-dev libcpp-httplib0.11 libssl3 libssl-dev
  libbrotli1 libbrotli-dev libgtest-dev"
mkdir -p "$1"
target=$(cd "$1" && pwd)
[ "$(cat "$target/packages" 2>/dev/null)" != "$packages" ] || exit 0
apt="$target/apt"
mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/deb" "$target/root"
touch "$apt/status"
options="-qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::Lists=$apt/lists
  -o Dir::State::status=$apt/status -o Dir::Cache=$apt -o Dir::Cache::archives=$apt/archives -o APT::Sandbox::User="
apt-get $options update
(cd "$apt/deb" && apt-get $options download $packages)
for package in "$apt"/deb/*.deb; do dpkg-deb -x "$package" "$target/root"; done
rm -r "$apt"
# Links to absolute paths mean the same below the folder.
find "$target/root" -type l -lname '/*' | while read -r link; do ln -sf "$target/root$(readlink "$link")" "$link"; done
printf '%s' "$packages" >"$target/packages"
