#!/bin/sh
# Installs the Debian packages that the build, the tests and the demo need, and only those that are missing.
# Debian 12 and 13. Returns quickly if all are installed.
set -eu
packages="build-essential cmake ninja-build pkg-config libavformat-dev libavcodec-dev libswscale-dev libavutil-dev
libdnnl-dev libjansson-dev libxxhash-dev libcmocka-dev ffmpeg python3"

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "install-dependencies: not a Debian system; make sure that these are there:" $packages >&2
    exit 0
fi

missing=""
for package in $packages; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || :)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "install-dependencies: as root, please: apt-get install$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "installing$missing"
# A fresh system has no package lists, and old lists name packages that are gone.
$as_root apt-get -q update
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing
