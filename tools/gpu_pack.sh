#!/usr/bin/env bash
# gpu_pack.sh [FOLDER]: gathers what a bare GPU machine lacks into one ignored folder (.gpu), below 60 MiB: the command,
# the plug-in, the tests that need a GPU, a few videos, and the shared objects that they load. tools/gpu_check.sh runs
# there. gpu_pack.sh --peers [FOLDER]: makes a second file beside it, with PyPI's decord and torchcodec and what else
# they load. Both together exceed 60 MiB; gpu_check.sh (STATE) takes one in a first call and the other in a second.
#
# ARCHITECTURES (90-real): the cards that the plug-in has code for. oneDNN is left out: it is large and isn't tested
# here. PYTHON (3.12): the GPU machine's version.
set -euo pipefail
cd "$(dirname "$0")/.."
peers=
[ "${1:-}" != --peers ] || { peers=1; shift; }
out=${1:-.gpu}
build=build-gpu
pack=$(mktemp -d)
trap 'rm -rf "$pack"' EXIT
mkdir -p "$pack/lib" "$out"

libraries_of() { # files...: the shared objects they load, except the machine's own (C, C++, driver, terminal)
    for file in "$@"; do ldd "$file"; done | awk '$3 ~ /^\// { print $3 }' | sort -u |
        grep -v -E '/(libc|libm|libdl|libpthread|librt|libresolv|libgcc_s|libstdc\+\+|ld-linux[^/]*|libtinfo|libcuda)\.so'
}

packed() { # file: .
    local bytes
    tar -C "$pack" -I 'xz --x86 --lzma2=preset=6,dict=64MiB -T0' -cf "$out/$1" .
    bytes=$(stat -c %s "$out/$1")
    echo "$out/$1: $((bytes >> 20)) MiB, $(find "$pack/lib" -type f | wc -l) shared objects"
    [ "$bytes" -lt $((60 << 20)) ] || { echo "gpu_pack: more than 60 MiB" >&2; exit 1; }
}

if [ -n "$peers" ]; then
    platforms=$(printf -- "--platform manylinux%s_x86_64 " _2_28 _2_27 _2_17 2014 1)
    # shellcheck disable=SC2086
    python3 -m pip download -q --no-deps --only-binary=:all: --python-version "${PYTHON:-3.12}" --implementation cp $platforms -d "$pack/wheels" decord torchcodec
    for wheel in "$pack"/wheels/*.whl; do unzip -q "$wheel" -d "$pack/site"; done
    # torchcodec loads FFmpeg's libraries by name, including two that the command doesn't need.
    folder=$(dirname "$(ldconfig -p | awk '/libavcodec\.so\.[0-9]+ / { print $NF; exit }')")
    for name in avfilter avdevice; do cp -L "$folder/lib$name.so".[0-9] "$folder/lib$name.so".[0-9][0-9] "$pack/lib" 2>/dev/null || true; done
    there=$(tar -tf "$out/pack.tar.xz")
    libraries_of "$pack"/lib/* | while read -r library; do
        grep -qxF "./lib/$(basename "$library")" <<<"$there" || cp -L "$library" "$pack/lib"
    done
    rm -r "$pack/wheels"
    packed peers.tar.xz
    exit
fi

cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Release -DTUBELET_ONEDNN=OFF \
    -DTUBELET_CUDA_ARCHITECTURES="${ARCHITECTURES:-90-real}" >/dev/null
cmake --build $build --target tubelet_command tubelet_cuda test_backend_operations test_backend_networks test_golden test_gpu_frames gpu_frames_speed gpu_joined_speed
mkdir -p "$pack/bin" "$pack/videos" "$pack/kinds"
cp $build/tubelet $build/libtubelet_cuda.so "$pack/bin"
cp $build/tests/test_backend_operations $build/tests/test_backend_networks $build/tests/test_golden $build/tests/test_gpu_frames $build/tests/gpu_{frames,joined}_speed "$pack/bin"
strip -g "$pack"/bin/*

libraries_of "$pack"/bin/* | while read -r library; do cp -L "$library" "$pack/lib/"; done

# One video of 226 windows at stride 4 and several short ones, like people's own: a moving picture with some noise. Also
# videos of other kinds, to compare NVDEC's frames.
film() { # seconds size file options...
    ffmpeg -v error -nostdin -y -f lavfi -i "testsrc2=duration=$1:size=$2:rate=30,noise=alls=6:allf=t" -pix_fmt yuv420p "${@:4}" "$pack/$3"
}
film 30.52 854x480 videos/long.mp4 -c:v libx264 -preset veryfast -b:v 1200k
film 3 640x360 videos/short1.mp4 -c:v libx264 -preset veryfast
film 2 320x240 videos/short2.mkv -c:v libx264 -preset veryfast
film 4 640x360 videos/short3.webm -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 500k
film 1 320x240 kinds/interlaced.mp4 -c:v libx264 -flags +ilme+ildct
film 1 320x240 kinds/hevc.mp4 -c:v libx265 -x265-params log-level=none
film 1 320x240 kinds/hevc10.mp4 -c:v libx265 -x265-params log-level=none -pix_fmt yuv420p10le
film 1 320x240 kinds/vp8.webm -c:v libvpx -cpu-used 8
film 1 320x240 kinds/vp9-10.webm -c:v libvpx-vp9 -cpu-used 8 -pix_fmt yuv420p10le
film 1 320x240 kinds/av1.mkv -c:v libaom-av1 -cpu-used 8 -usage realtime

# The tests have the path of their data compiled in.
echo "$PWD" >"$pack/source"
git rev-parse HEAD >"$pack/commit"
packed pack.tar.xz
