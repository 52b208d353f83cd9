#!/bin/sh
# check-structure.sh [ROOT]: checks the project's rules that a compiler doesn't know. Prints every breach; exits 1 if
# any.
#
#   names      file names are unique in the tree (includes are by bare name)
#   rooms      a room includes only what it may; the command only <tubelet/...>; the table below agrees with CMake
#   libraries  libav in src/media only, oneDNN and OpenMP in src/backends/onednn only, CUDA in src/backends/cuda/plugin only
#   silence    the library never prints, exits, aborts or changes process state
#   sizes      no file above 1000 lines, no function above 150
set -eu
cd "${1:-$(dirname "$0")/..}"
breaches=$(mktemp)
trap 'rm -f "$breaches"' EXIT

# Room: the rooms that it may include, besides itself, base, and what those rooms may include in turn.
rooms='base:
media: base
clip: base
program: base
weights: program
models: program weights
backends: program
encoder: models backends
pipeline: media clip encoder
dataset: pipeline
machine: media encoder
tuning: dataset machine'

sources() { # folders...: the C files of those that exist
    for folder in "$@"; do
        [ ! -d "$folder" ] || find "$folder" -name data -prune -o \( -name '*.c' -o -name '*.h' \) -print
    done
}

say() { # prefix: adds each line of stdin as a breach
    sed "s|^|$1: |" >>"$breaches"
}

# C source without comments, strings and character constants, as "file:line:text".
stripped() {
    awk 'FNR == 1 { inside = 0 }
    {
        line = $0; out = ""
        while (line != "") {
            if (inside) {
                at = index(line, "*/")
                if (!at) break
                line = substr(line, at + 2); inside = 0
            } else if (substr(line, 1, 2) == "//") break
            else if (substr(line, 1, 2) == "/*") { inside = 1; line = substr(line, 3) }
            else if (match(line, /^"([^"\\]|\\.)*"/)) { out = out "\"\""; line = substr(line, RLENGTH + 1) }
            else if (match(line, /^\047([^\047\\]|\\.)*\047/)) { out = out "0"; line = substr(line, RLENGTH + 1) }
            else { out = out substr(line, 1, 1); line = substr(line, 2) }
        }
        print FILENAME ":" FNR ":" out
    }' "$@"
}

check_names() {
    for folder in include src cli tests tools scripts bench fuzz cmake; do
        [ ! -d "$folder" ] || find "$folder" \( -name data -o -name __pycache__ \) -prune -o -type f ! -name CMakeLists.txt -print
    done | awk -F/ '{ n[$NF]++; where[$NF] = where[$NF] " " $0 } END { for (f in n) if (n[f] > 1) print f ":" where[f] }' |
        say "name used twice"
}

check_rooms() {
    files=$(sources src)
    [ -n "$files" ] || { echo "src has no C files" >>"$breaches"; return; }
    # The table, the owners of the headers, then every include, which is checked against both.
    { printf '%s\n' "$rooms" | sed 's/^/T /'
      sources src | grep '\.h$' | sed 's/^/H /'
      grep -n '^[[:space:]]*#[[:space:]]*include' $files /dev/null | sed 's/^/I /'; } | awk '
    function may(room, other,    list, n, i) {
        if (room == other || other == "base") return 1
        n = split(uses[room], list, " ")
        for (i = 1; i <= n; i++) if (may(list[i], other)) return 1
        return 0
    }
    $1 == "T" { room = $2; sub(/:$/, "", room); known[room] = 1
                for (i = 3; i <= NF; i++) uses[room] = uses[room] " " $i; next }
    $1 == "H" { split($2, part, "/"); n = split($2, all, "/"); owner[all[n]] = part[2]; next }
    {
        split($2, at, ":"); split(at[1], part, "/"); room = part[2]
        if (!(room in known)) { print at[1] ": room " room " is not in the table"; next }
        if (match($0, /"[^"]*"/)) {
            header = substr($0, RSTART + 1, RLENGTH - 2)
            if (header ~ /\//) print at[1] ":" at[2] ": \"" header "\" is not a bare name"
            else if (!(header in owner)) print at[1] ":" at[2] ": \"" header "\" is in no room"
            else if (!may(room, owner[header])) print at[1] ":" at[2] ": " room " may not include " owner[header] "/" header
        }
    }' | say "rooms"
    if [ -f CMakeLists.txt ]; then
        printf '%s\n' "$rooms" | while IFS=: read -r room uses; do
            cmake=$(sed -n "s/^tubelet_room($room\([ )]\)/\1/p" CMakeLists.txt |
                sed -n 's/.* USES \([a-z ]*\).*/\1/p' | sed 's/ *$//')
            [ "$cmake" = "${uses# }" ] || echo "CMakeLists.txt lets $room use '$cmake', the table says '${uses# }'"
        done | say "rooms"
        sed -n 's/^tubelet_room(\([a-z]*\).*/\1/p' CMakeLists.txt | while read -r room; do
            printf '%s\n' "$rooms" | grep -q "^$room:" || echo "CMakeLists.txt has a room $room that the table lacks"
        done | say "rooms"
    fi
    for file in $(sources cli); do
        grep -n '^[[:space:]]*#[[:space:]]*include' "$file" | while IFS= read -r line; do
            header=$(printf '%s' "$line" | sed -n 's/.*"\(.*\)".*/\1/p')
            [ -z "$header" ] || [ -f "cli/$header" ] || echo "$file:$line: the command may include <tubelet/...> only"
        done
    done | say "rooms"
}

check_libraries() {
    for file in $(sources include src cli); do
        case $file in src/media/*) ;; *)
            grep -Hn '#[[:space:]]*include.*lib\(av\|sw\)[a-z]*/' "$file" || : ;; esac
        case $file in src/backends/cuda/plugin/*) ;; *)
            grep -Hn '#[[:space:]]*include.*\(cuda_runtime\|cublas\|cudnn\)[a-zA-Z_]*\.h' "$file" || : ;; esac
        case $file in src/backends/onednn/*) ;; *)
            grep -Hn '#[[:space:]]*include.*\(dnnl\|omp\.h\)' "$file" || : ;; esac
    done | say "library in the wrong room"
}

check_silence() {
    set -- $(sources src include)
    print='printf|fprintf|vprintf|vfprintf|dprintf|puts|fputs|putchar|putc|fputc|perror'
    leave='exit|_exit|_Exit|quick_exit|abort|assert|raise|longjmp'
    state='setlocale|signal|sigaction|chdir|umask|setenv|putenv|unsetenv|system|popen|fork|srand|setrlimit'
    stripped "$@" | grep -E "(^|[^A-Za-z0-9_])($print|$leave|$state)[[:space:]]*\(" | say "not for a library" || :
    # These calls are allowed in one file: a public function for programs that ask for it.
    stripped "$@" | grep -E '(^|[^A-Za-z0-9_])(av_log_set_[a-z]+|dnnl_set_verbose)[[:space:]]*\(' |
        grep -v '^src/media/decoder_log\.c:' | say "process state" || :
}

check_sizes() {
    files=$(sources include src cli tests bench fuzz)
    awk 'FNR > 1000 && !(FILENAME in told) { told[FILENAME] = 1; print FILENAME ": more than 1000 lines" }
    /^{/ { begin = FNR; name = before }
    /^}/ && begin { if (FNR - begin - 1 > 150) print FILENAME ":" begin ": " name ": " FNR - begin - 1 " lines"; begin = 0 }
    FNR == 1 { if (!/^{/) begin = 0 }
    /^[A-Za-z_].*\(/ { before = $0; sub(/\(.*/, "", before); sub(/.*[ *]/, "", before) }' $files | say "too long"
}

check_names
check_rooms
check_libraries
check_silence
check_sizes
if [ -s "$breaches" ]; then
    cat "$breaches"
    echo "$(wc -l <"$breaches") breaches"
    exit 1
fi
echo "structure: $(sources include src cli | wc -l) files in order"
