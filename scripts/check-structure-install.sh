#!/bin/sh
# check-structure-install.sh BUILD CC [CXX]: compiles and links a program with what `cmake --install` installed: by
# pkg-config alone, against the shared and against the static library; by CMake's find_package(); and against libraries
# in a packager's folder.
set -eu
build=$1
cc=$2
cxx=${3:-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cmake --install "$build" --prefix "$folder/here" >/dev/null
mv "$folder/here" "$folder/moved" # an installation can be moved
PKG_CONFIG_PATH=$folder/moved/lib/pkgconfig
export PKG_CONFIG_PATH
cat >"$folder/program.c" <<'END'
#include <stdio.h>
#include <tubelet/tubelet.h>
int main(void)
{
    tub_encoder *encoder = NULL;
    tub_video *video = NULL;
    tub_error error;
    tub_encoder_params params = tub_encoder_params();
    params.model = "/none";
    tub_status model = tub_encoder_open(&params, &encoder, &error), file = tub_video_open("/none", NULL, &video, &error);
    return model == TUB_ERROR_MODEL && file == TUB_ERROR_INPUT && puts(tub_version()) >= 0 ? 0 : 1;
}
END
cp "$folder/program.c" "$folder/program.cpp"
sed -i 's/tub_encoder_params()/{0}/' "$folder/program.c"
if [ -f "$build/build.ninja" ]; then # `make` without a target builds all of these
    targets=$(make -n -C "$(dirname "$0")/.." BUILD="$build" all | sed -n 's/.* --target //p')
    for file in "$folder"/moved/lib/libtubelet*.so "$folder"/moved/bin/tubelet; do
        ninja -C "$build" -t graph $targets | grep -qF "label=\"${file##*/}\"" || { echo "make doesn't build ${file##*/}" && exit 1; }
    done
fi
warnings="-Wall -Wextra -Wpedantic -Werror"
want=$(pkg-config --modversion tubelet)
"$cc" $warnings "$folder/program.c" -o "$folder/shared" $(pkg-config --cflags --libs tubelet)
[ "$(LD_LIBRARY_PATH="$folder/moved/lib" "$folder/shared")" = "$want" ]
mkdir "$folder/cmake"
cat >"$folder/cmake/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.16)
project(program C)
find_package(tubelet ${want%.*} REQUIRED)
add_executable(program $folder/program.c)
target_link_libraries(program PRIVATE tubelet::tubelet)
END
by_cmake() { # by_cmake WHERE: a definition that says where to look
    rm -rf "$folder/cmake/build"
    cmake -S "$folder/cmake" -B "$folder/cmake/build" -DCMAKE_C_COMPILER="$cc" "$1" >/dev/null
    cmake --build "$folder/cmake/build" >/dev/null
    [ "$("$folder/cmake/build/program")" = "$want" ]
}
by_cmake "-DCMAKE_PREFIX_PATH=$folder/moved"
rm "$folder"/moved/lib/libtubelet.so*
"$cc" $warnings "$folder/program.c" -o "$folder/static" $(pkg-config --static --cflags --libs tubelet)
[ "$("$folder/static")" = "$want" ]
[ -z "$cxx" ] || "$cxx" -std=c++17 $warnings "$folder/program.cpp" -o "$folder/cxx" $(pkg-config --static --cflags --libs tubelet)
# The same build, configured for another folder of libraries.
cmake -S "$(dirname "$0")/.." -B "$folder/build" -DCMAKE_C_COMPILER="$cc" -DCMAKE_INSTALL_LIBDIR=lib/some-arch \
    -DTUBELET_TESTS=OFF -DTUBELET_CUDA=OFF -DTUBELET_ONEDNN=OFF >/dev/null
cp -a "$build"/libtubelet.* "$build/tubelet" "$build/documents" "$build/locale" "$folder/build"
cmake --install "$folder/build" --prefix "$folder/packaged" >/dev/null
PKG_CONFIG_PATH=$folder/packaged/lib/some-arch/pkgconfig
"$cc" $warnings "$folder/program.c" -o "$folder/packaged.out" $(pkg-config --cflags --libs tubelet)
[ "$(LD_LIBRARY_PATH="$folder/packaged/lib/some-arch" "$folder/packaged.out")" = "$want" ]
by_cmake "-Dtubelet_DIR=$folder/packaged/lib/some-arch/cmake/tubelet"
echo "install: C and C++ programs link with $want"
