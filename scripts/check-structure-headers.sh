#!/bin/sh
# check-structure-headers.sh CC [CXX [ROOT]]: every public header compiles alone, strictly, as C17 and as C++17 (if
# there is a C++ compiler: CXX may be empty).
set -eu
cc=$1
cxx=${2:-}
cd "${3:-$(dirname "$0")/..}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
count=0
for header in include/tubelet/*.h; do
    printf '#include <tubelet/%s>\nextern int nothing;\n' "$(basename "$header")" >"$folder/alone.c"
    "$cc" -std=c17 -Wall -Wextra -Wpedantic -Wstrict-prototypes -Werror -fsyntax-only -Iinclude "$folder/alone.c"
    if [ -n "$cxx" ]; then
        "$cxx" -x c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -Iinclude "$folder/alone.c"
    fi
    count=$((count + 1))
done
echo "headers: $count compile alone as C17${cxx:+ and C++17}"
