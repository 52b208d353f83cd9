#!/usr/bin/env bash
# cuda12_check.sh ROOT [TESTS]: builds the plug-in with CUDA 12.4, as for V100. ROOT becomes a clean Debian 13 with that
# toolkit (non-free) and PyPI's cuDNN for CUDA 12. In it, the working tree's tracked files are built for the cards
# below, without a warning, and installed, and the tests whose names match TESTS (^cuda/) are run. Run as root; needs
# debootstrap, and 12 GB.
#
# ARCHITECTURES: the cards; CUDNN: the version on PyPI.
set -euo pipefail
root=$(realpath -m "${1:?a folder for the Debian system}")
tests=${2:-^cuda/}
cards=${ARCHITECTURES:-"70-real;75-real;80-real;86-real;89-real;90"}
cudnn=${CUDNN:-9.19.0.56}
cd "$(dirname "$0")/.."

if [ ! -e "$root/usr/include/cudnn.h" ]; then
    debootstrap --components=main,contrib,non-free --include=ca-certificates,make,git trixie "$root" http://deb.debian.org/debian
    chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install nvidia-cuda-toolkit nvidia-cuda-dev
    wheel=$(mktemp -d)
    trap 'rm -rf "$wheel"' EXIT
    python3 -m pip download -q --no-deps --only-binary=:all: -d "$wheel" "nvidia-cudnn-cu12==$cudnn"
    (cd "$wheel" && unzip -q ./*.whl)
    cp -a "$wheel"/nvidia/cudnn/lib/*.so* "$root/usr/lib/x86_64-linux-gnu/"
    cp -a "$wheel"/nvidia/cudnn/include/*.h "$root/usr/include/"
    chroot "$root" ldconfig
fi

mkdir -p "$root/src"
git ls-files -z | tar -c --null -T - | tar -x -C "$root/src"
cp /etc/resolv.conf "$root/etc/resolv.conf"
# The mount disappears with the process.
unshare -m bash -s "$root" "$cards" "$tests" <<'THERE'
set -euo pipefail
mount -t proc proc "$1/proc"
chroot "$1" make -C src install CUDA_ARCHITECTURES="$2" PREFIX=/opt/tubelet
chroot "$1" ctest --test-dir src/build --output-on-failure --parallel "$(nproc)" -R "$3"
THERE
