#!/bin/sh
# Headers of the libraries as they are in Debian sid, unpacked below a folder: about what Homebrew gives a Mac's owner
# (docs/mac.md). No root, and the machine's own package database does not learn of it: another release's lists and
# state lie below the folder, its packages come from where this machine's own come from.
#
#   tools/newer_libraries.sh build/newer-libraries     headers are in build/newer-libraries/root/usr/include
set -eu
packages="libfmt-dev libcpp-httplib-dev libcli11-dev libexpected-dev nlohmann-json3-dev"
mkdir -p "$1"
target=$(cd "$1" && pwd)
apt="$target/apt"
rm -rf "$target/root" "$apt"
mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/deb" "$target/root"
touch "$apt/status"
sed -n '1,/^$/p' /etc/apt/sources.list.d/debian.sources | sed 's/^Suites:.*/Suites: sid/' >"$apt/sid.sources"
options="-qq -o Dir::Etc::sourcelist=$apt/sid.sources -o Dir::Etc::sourceparts=/dev/null -o Dir::State::Lists=$apt/lists
  -o Dir::State::status=$apt/status -o Dir::Cache=$apt -o Dir::Cache::archives=$apt/archives -o APT::Sandbox::User="
apt-get $options update
(cd "$apt/deb" && apt-get $options download $packages)
for package in "$apt"/deb/*.deb; do dpkg-deb -x "$package" "$target/root"; basename "$package" .deb; done
rm -r "$apt"
