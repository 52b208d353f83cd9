#!/bin/sh
# check-structure-exports.sh LIBRARY [ROOT]: the shared library exports what the public headers declare, no less and no
# more, and every name begins with tub_.
set -eu
library=$1
cd "${2:-$(dirname "$0")/..}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

grep -hv '^#' include/tubelet/*.h | sed 's|//.*||' | tr '\n' ' ' | tr ';' '\n' | grep TUB_API |
    sed 's/.*TUB_API//' | awk 'match($0, /tub_[a-z0-9_]+ *\(/) { name = substr($0, RSTART, RLENGTH); sub(/ *\(/, "", name); print name }' |
    LC_ALL=C sort >"$folder/declared"
nm -D --defined-only "$library" | awk '{ sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort >"$folder/exported"
[ -s "$folder/declared" ] || { echo "include/tubelet declares nothing"; exit 1; }

fault=0
foreign=$(grep -v '^tub_' "$folder/exported" || :)
missing=$(LC_ALL=C comm -23 "$folder/declared" "$folder/exported")
extra=$(LC_ALL=C comm -13 "$folder/declared" "$folder/exported")
[ -z "$foreign" ] || { echo "exported without the prefix tub_:" $foreign; fault=1; }
[ -z "$missing" ] || { echo "declared with TUB_API but not exported:" $missing; fault=1; }
[ -z "$extra" ] || { echo "exported but not declared in include/tubelet:" $extra; fault=1; }
[ $fault = 0 ] && echo "exports: $(wc -l <"$folder/declared") functions, as declared"
exit $fault
