#!/usr/bin/env bash
# make demo: random checkpoints, real encoded videos, their features.
#   VIDEOS=folder   your own videos instead of the clips made here
#   DEMO=folder     where to work (demo)
set -euo pipefail
cd "$(dirname "$0")/.."
tubelet=${TUBELET:-build/tubelet}
demo=${DEMO:-demo}
videos=${VIDEOS:-$demo/videos}
mkdir -p "$demo"

encoders=$(ffmpeg -hide_banner -encoders 2>/dev/null)
# The first of these encoders that this ffmpeg has.
first_encoder() {
    local name
    for name in "$@"; do
        if grep -qw "$name" <<<"$encoders"; then
            echo "$name"
            return
        fi
    done
}

# make_clip FILE SOURCE ENCODER OPTIONS...
make_clip() {
    local file=$1 source=$2 encoder=$3
    shift 3
    if [ -z "$encoder" ]; then
        echo "no encoder for $file in this ffmpeg: left out"
        return
    fi
    echo "encoding $file with $encoder"
    ffmpeg -v error -nostdin -y -f lavfi -i "$source" -t 4 -pix_fmt yuv420p -c:v "$encoder" "$@" "$demo/new-${file##*/}"
    mv "$demo/new-${file##*/}" "$file"
}

if [ -z "${VIDEOS:-}" ]; then
    mkdir -p "$videos"
    make_clip "$videos/h264.mp4" "testsrc2=size=320x240:rate=25" "$(first_encoder libx264 libopenh264)" -g 25
    make_clip "$videos/vp9.webm" "mandelbrot=size=320x240:rate=25" "$(first_encoder libvpx-vp9)" -deadline realtime -cpu-used 8
    av1=$(first_encoder libsvtav1 libaom-av1 librav1e)
    case $av1 in
    libsvtav1) speed=(-preset 12) ;;
    libaom-av1) speed=(-usage realtime -cpu-used 8) ;;
    *) speed=(-speed 10) ;;
    esac
    SVT_LOG=1 make_clip "$videos/av1.mkv" "life=size=320x240:rate=25:mold=10:ratio=0.1:death_color=#c83232:life_color=#00ff00" \
        "$av1" "${speed[@]}"
fi

# A .npy file's type and shape, from its header.
shape() {
    head -c 128 "$1" | tail -c +11 | tr -d '\n' | sed 's/ *$//'
}

# extract MODEL OPTIONS...: returns 0, or 3 if some of the videos are damaged
extract() {
    local name=$1 code=0
    shift
    echo
    [ -e "$demo/$name/config.json" ] || "$tubelet" init "$MODEL" "$demo/$name"
    echo "$tubelet extract $videos --model $demo/$name --out $demo/features-$name $*"
    "$tubelet" extract "$videos" --model "$demo/$name" --out "$demo/features-$name" "$@" || code=$?
    [ $code = 0 ] || [ $code = 3 ] || exit $code
}

MODEL=dinov2:small extract dinov2
MODEL=videomae:small extract videomae --preset fineaction

echo
echo "arrays:"
shopt -s nullglob
count=0
for file in "$demo"/features-*/*.npy; do
    echo "  $file  $(shape "$file")"
    count=$((count + 1))
done
[ $count -gt 0 ]
