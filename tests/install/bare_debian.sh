# A bare Debian 12, made by debootstrap: sourced by deb_test.sh and wheel_test.sh, which set $root, its directory. Needs
# root. `run COMMAND...` runs in it.
mirror=${HEADWAY_DEBIAN_MIRROR:-http://deb.debian.org/debian}

fail() { echo "$(basename "$0" .sh): $*" >&2; exit 1; }
run() {  # nothing of this machine's environment but its proxy; with /proc, by which programs find libraries beside them
  unshare --pid --fork --mount-proc="$root/proc" chroot "$root" \
    env -i ${http_proxy:+"http_proxy=$http_proxy"} HOME=/tmp DEBIAN_FRONTEND=noninteractive \
    PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
install_packages() {  # files or names
  run apt-get -qq update
  run apt-get -qq install -y --no-install-recommends "$@" >"$root.log" 2>&1 ||
    { tail -20 "$root.log" >&2; fail "apt-get install failed"; }
}

if [ ! -x "$root/bin/bash" ] || [ -e "$root/debootstrap" ]; then  # the latter: it was interrupted
  rm -rf "$root"
  debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
    { tail -20 "$root.log" >&2; fail "debootstrap failed"; }
fi
