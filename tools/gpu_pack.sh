#!/usr/bin/env bash
# gpu_pack.sh [FOLDER]: gathers what a bare GPU machine lacks into one ignored folder (.gpu), below 60 MiB: the command, the
# plug-in, the tests that need a GPU, a few videos, and the shared objects that they load. tools/gpu_check.sh runs there.
#
# ARCHITECTURES (90-real): which cards the plug-in has code for. oneDNN is left out: it is large and not what is tested.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-.gpu}
build=build-gpu
pack=$(mktemp -d)
trap 'rm -rf "$pack"' EXIT

cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Release -DTUBELET_ONEDNN=OFF \
    -DTUBELET_CUDA_ARCHITECTURES="${ARCHITECTURES:-90-real}" >/dev/null
cmake --build $build --target tubelet_command tubelet_cuda test_backend_operations test_backend_networks test_golden test_gpu_frames gpu_frames_speed gpu_joined_speed
mkdir -p "$pack/bin" "$pack/lib" "$pack/videos" "$out"
cp $build/tubelet $build/libtubelet_cuda.so "$pack/bin"
cp $build/tests/test_backend_operations $build/tests/test_backend_networks $build/tests/test_golden $build/tests/test_gpu_frames $build/tests/gpu_{frames,joined}_speed "$pack/bin"
strip -g "$pack"/bin/*

# What they load, but the C and C++ libraries and the driver, which are the machine's.
for file in "$pack"/bin/*; do ldd "$file"; done | awk '$3 ~ /^\// { print $3 }' | sort -u |
    grep -v -E '/(libc|libm|libdl|libpthread|librt|libresolv|libgcc_s|libstdc\+\+|ld-linux[^/]*|libcuda)\.so' |
    while read -r library; do cp -L "$library" "$pack/lib/"; done

# One video of 226 windows at stride 4 and several short ones, as people have them: a moving picture with some noise.
film() { # seconds size file options...
    ffmpeg -v error -nostdin -y -f lavfi -i "testsrc2=duration=$1:size=$2:rate=30,noise=alls=6:allf=t" -pix_fmt yuv420p "${@:4}" "$pack/videos/$3"
}
film 30.52 854x480 long.mp4 -c:v libx264 -preset veryfast -b:v 1200k
film 3 640x360 short1.mp4 -c:v libx264 -preset veryfast
film 2 320x240 short2.mkv -c:v libx264 -preset veryfast
film 4 640x360 short3.webm -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 500k

# Where the tests look for their data is compiled into them.
echo "$PWD" >"$pack/source"
git rev-parse HEAD >"$pack/commit"
tar -C "$pack" -I 'xz --x86 --lzma2=preset=6,dict=64MiB -T0' -cf "$out/pack.tar.xz" .
bytes=$(stat -c %s "$out/pack.tar.xz")
echo "$out/pack.tar.xz: $((bytes >> 20)) MiB, $(find "$pack/lib" -type f | wc -l) shared objects"
[ "$bytes" -lt $((60 << 20)) ] || { echo "gpu_pack: more than 60 MiB" >&2; exit 1; }
