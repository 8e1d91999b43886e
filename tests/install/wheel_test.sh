#!/usr/bin/env bash
# The wheel on a bare Debian 12 with nothing but Python, without a network: wheel_test.sh WHEELS MODEL DIRECTORY. WHEELS is
# a directory with Headway's wheel and those that it needs. Needs root.
set -euo pipefail
wheels=$1 model=$2 root=$3
source "$(dirname "$0")/bare_debian.sh"

wheel=$(ls "$wheels"/headway-*.whl)
install_packages python3-venv
run apt-get -qq autoremove -y --purge >/dev/null  # what a Debian package tested before brought
! run dpkg -s libcpp-httplib0.11 >/dev/null 2>&1 || fail "expected a system without the libraries that the wheel brings"
rm -rf "$root/tmp/wheels" "$root/tmp/venv"
mkdir "$root/tmp/wheels"
cp "$wheels"/*.whl "$root/tmp/wheels/"
cp "$model" "$root/tmp/model.gguf"
run python3 -m venv /tmp/venv
started=$(date +%s%N)
run unshare --net /tmp/venv/bin/pip install -q --no-index --find-links /tmp/wheels headway ||
  fail "pip install failed"
text=$(run /tmp/venv/bin/python -c 'import headway
engine = headway.Engine("/tmp/model.gguf")
made = engine.generate("Once upon a time", max_new_tokens=20).read()
print(made.text)
assert engine.logits("Once upon a time").shape[1] == engine.vocab_size') || fail "generating failed"
[ ${#text} -gt 15 ] || fail "expected a text, found '$text'"
tenths=$(((($(date +%s%N) - started) / 100000000)))
told=$(run /tmp/venv/bin/headway run /tmp/model.gguf -p "Once upon a time" -n 20)
[ "$told" = "Once upon a time$text" ] || fail "expected the tool's text to be the module's, found '$told'"
missing=$(run sh -c 'cd /tmp/venv/lib/python3*/site-packages/headway &&
  for library in lib/*; do [ -s licenses/$(basename $library).txt ] || echo $library; done')
[ -z "$missing" ] || fail "expected licences of $missing"
run /tmp/venv/bin/pip uninstall -q -y headway
echo "$(basename "$wheel") installs and runs on a bare Debian 12: $(stat -c %s "$wheel") bytes," \
  "$((tenths / 10)).$((tenths % 10)) s with numpy and a text"
