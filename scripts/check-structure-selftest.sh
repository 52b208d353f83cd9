#!/bin/sh
# check-structure-selftest.sh: makes a small tree that breaks each rule of check-structure.sh in turn; each must be
# refused.
set -eu
check=$(cd "$(dirname "$0")" && pwd)/check-structure.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

tree() { # makes a tree without breaches
    rm -rf "$folder/tree"
    for room in base media clip program weights models backends/onednn encoder pipeline dataset; do
        mkdir -p "$folder/tree/src/$room"
    done
    mkdir -p "$folder/tree/include/tubelet" "$folder/tree/cli"
    cd "$folder/tree"
    echo '#include <tubelet/status.h>' >src/base/fail.h
    echo '#include "fail.h"' >src/program/program.h
    echo '#include <libavformat/avformat.h>' >src/media/reader.h
    printf '%s\n' '#include "program.h"' '// never exit(1)' '/* nor abort() */' \
        'const char *text = "printf(";' 'char c = '"'\"'"'; int n = snprintf(b, 1, "");' >src/weights/binder.c
    echo '#include <dnnl.h>' >src/backends/onednn/session.c
    echo '#include <tubelet/tubelet.h>' >cli/main.c
}

refuse() { # the message that must appear after a breach was made
    if "$check" "$folder/tree" >"$folder/said" 2>&1; then
        echo "accepted: $1"
        failed=1
    elif ! grep -q "$1" "$folder/said"; then
        echo "did not say '$1' but:"
        cat "$folder/said"
        failed=1
    fi
}

lines() { # n lines for a function's body
    awk -v n="$1" 'BEGIN { while (n-- > 0) print "    x++;" }'
}

tree
"$check" "$folder/tree" >"$folder/said" || { echo "refused a tree in order:"; cat "$folder/said"; failed=1; }
tree; echo >src/clip/fail.h; refuse "name used twice: fail.h"
tree; echo '#include "reader.h"' >src/clip/window.c; refuse "clip may not include media/reader.h"
tree; echo '#include "program.h"' >src/base/x.c; refuse "base may not include program/program.h"
tree; echo '#include "../base/fail.h"' >src/clip/x.c; refuse "not a bare name"
tree; echo '#include "unknown.h"' >src/clip/x.c; refuse "is in no room"
tree; mkdir src/attic; echo '#include "fail.h"' >src/attic/x.c; refuse "room attic is not in the table"
tree; echo '#include "fail.h"' >cli/x.c; refuse "the command may include"
tree; echo '#include <libavutil/log.h>' >src/base/x.c; refuse "library in the wrong room"
tree; echo '#include <dnnl.h>' >src/backends/x.c; refuse "library in the wrong room"
tree; echo 'void f(void) { fprintf(stderr, "x"); }' >src/base/x.c; refuse "not for a library"
tree; echo 'void f(void) { if (g()) exit(1); }' >src/base/x.c; refuse "not for a library"
tree; echo 'void f(void) { assert(0); }' >src/base/x.c; refuse "not for a library"
tree; echo 'void f(void) { /* */ setlocale(0, ""); }' >src/base/x.c; refuse "not for a library"
tree; echo 'void f(void) { av_log_set_level(0); }' >src/media/x.c; refuse "process state"
tree; { echo 'void f(void)'; echo '{'; lines 151; echo '}'; } >src/base/x.c; refuse "too long: src/base/x.c:2: f: 151 lines"
tree; lines 1001 >src/base/x.c; refuse "too long: src/base/x.c: more than 1000 lines"
tree; echo 'tubelet_room(clip USES base media)' >CMakeLists.txt; refuse "lets clip use 'base media'"
[ $failed = 0 ] && echo "selftest: every breach is refused"
exit $failed
