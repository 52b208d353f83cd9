#!/usr/bin/env bash
# gpu_check.sh [PACK]: everything that only a GPU can show, in under 8 minutes, as a table. PACK: what tools/gpu_pack.sh
# made (.gpu/pack.tar.xz). Without one the files of build/ are taken.
#
# Parts: conformance of every operation and the goldens in each type, the same bytes in any batch, halving under a memory
# limit, NVDEC's frames against software's, an ablation of types, graphs, tuning, overlap and cuDNN, compute-sanitizer, and, on
# the same card, PyTorch's forwards, the original's loop, and torchcodec feeding a network (gpu_peer.py, bench/original.py,
# gpu_decode_peer.py; where torch, transformers, decord and torchcodec are). A part that isn't possible here says so; figures
# that would begin after seven minutes aren't taken, and none goes on beyond eight. Exit code 1: one failed.
#
# LIMIT=N: N seconds instead. KEEP=FOLDER: what the parts said is left there. SMALL=1 takes tiny models: to try the script itself on the fake GPU, say (TUBELET_CUDA_PLUGIN=build/tests/libfake_gpu.so).
set -uo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
pack=${1:-$here/.gpu/pack.tar.xz}
work=$(mktemp -d)
trap '[ -z "${KEEP:-}" ] || cp "$work"/*.log "$KEEP"; rm -rf "$work"' EXIT
began=$SECONDS
limit=${LIMIT:-480}
slack=$([ -n "${SMALL:-}" ] && echo 6 || echo 1) # the fake computes on what processors there are
failed=0

if [ -f "$pack" ]; then
    tar -C "$work" -xf "$pack"
    bin=$work/bin
    export LD_LIBRARY_PATH=$work/lib:${LD_LIBRARY_PATH:-}
    # The tests' data is where it was when they were built.
    source=$(cat "$work/source")
    if [ "$source" != "$here" ] && [ ! -e "$source" ]; then
        mkdir -p "$(dirname "$source")" && ln -s "$here" "$source"
    fi
else
    mkdir -p "$work/bin" "$work/videos"
    cp "$here"/build/tubelet "$here"/build/tests/test_{backend_operations,backend_networks,golden,gpu_frames} "$here"/build/tests/gpu_{frames,joined}_speed "$work/bin"
    [ ! -f "$here/build/libtubelet_cuda.so" ] || cp "$here/build/libtubelet_cuda.so" "$work/bin"
    bin=$work/bin
    for seconds in 2 3 4; do
        ffmpeg -v error -nostdin -y -f lavfi -i "testsrc2=duration=$seconds:size=320x240:rate=30" -pix_fmt yuv420p "$work/videos/v$seconds.mp4"
    done
fi
# cuBLASLt and cuDNN as PyTorch's wheels bring them.
for folder in $(python3 -c 'import nvidia, glob; print(*[g for p in nvidia.__path__ for g in glob.glob(p + "/*/lib")])' 2>/dev/null); do
    LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}:$folder
done
export LD_LIBRARY_PATH
export XDG_CACHE_HOME=$work/cache # what earlier runs measured and remembered isn't to be seen here
tubelet=$bin/tubelet

row() { # part, result, detail
    printf '| %-34s | %-8s | %s |\n' "$1" "$2" "$3"
    [ "$2" != FAILED ] || failed=1
}

in_time() { # name: whether there is time left for what is only a figure
    [ $((SECONDS - began)) -lt $(((limit - 60) * slack)) ] || { row "$1" - "not run: the time is used up"; return 1; }
}

at_most() { # seconds command...: for so long, and not beyond the eight minutes
    local left=$(((limit - 5) * slack - SECONDS + began))
    [ $left -gt 0 ] || return 124
    timeout $((left < $1 ? left : $1)) "${@:2}"
}

seconds_of() { # bench options...: seconds of one forward, or nothing
    timeout 60 "$tubelet" bench --case forward --device cuda --json "$@" 2>"$work/bench.log" | tail -1 |
        sed -n 's/.*"seconds":\([0-9.e-]*\).*/\1/p'
}

echo "commit $(cat "$work/commit" 2>/dev/null || git -C "$here" rev-parse HEAD), $(date -u +%F)"
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null
"$tubelet" doctor 2>/dev/null | grep -E '^(GPU|backends +cuda| +cuda)' | cut -c1-200
echo
row part result detail
row :--- :--- :---

# ---- right answers: all at once, of which no time is taken ----
section() { # command...: what it prints is shown when all are done; measures for itself, as the card is shared
    sections=$((sections + 1))
    XDG_CACHE_HOME=$work/cache$sections "$@" >"$work/section$sections" 2>&1 &
}

end_sections() {
    local n
    wait
    for n in $(seq "$sections"); do
        cat "$work/section$n"
        ! grep -q '| FAILED ' "$work/section$n" || failed=1
    done
}

part() { # name seconds command...: ok or FAILED by its exit code, its last line as the detail
    local log=$work/part$sections.log code
    timeout $(($2 * slack)) "${@:3}" >"$log" 2>&1
    code=$?
    if [ "$code" = 0 ]; then row "$1" ok "$( (grep PASSED "$log" || tail -1 "$log") | tail -1 | cut -c1-110)"
    else row "$1" FAILED "exit $code: $(grep -E 'ERROR|relative error|max-abs|cosine|rror' "$log" | tail -1 | cut -c1-160)"; fi
}

model_of() { # size: the folder of a random checkpoint, made once
    local folder=$work/model-${1/:/-}
    [ -d "$folder" ] || "$tubelet" init "$1" "$folder" >/dev/null 2>&1
    echo "$folder"
}

clip=videomae:$([ -n "${SMALL:-}" ] && echo tiny || echo base)
"$tubelet" init "$clip" "$work/clip" >/dev/null
extract() { # out options...
    "$tubelet" extract "$work/videos" --model "$work/clip" --out "$work/$1" --device cuda "${@:2}" >"$work/$1.log" 2>&1
}
summary() { grep -h -o '[0-9]* frames, .*clips.s' "$work/$1.log" | tail -1; }
digest() { (cd "$work/$1" && sha256sum ./*.npy | sha256sum); }

same_bytes() {
    local options
    for options in "--batch 1" "--batch 7" "--batch 64" "--decode-threads 1 --batch 5"; do
        if extract other $options && [ "$(digest whole)" = "$(digest other)" ]; then row "same bytes, $options" ok "$(summary other)"
        else row "same bytes, $options" FAILED "$(tail -1 "$work/other.log" | cut -c1-120)"; fi
        rm -rf "$work/other"
    done
}

halving() {
    local limit
    for limit in 700 500 38; do # MiB; base needs some 400, tiny some 40
        rm -f "$XDG_CACHE_HOME/tubelet/gpu-fits.txt"
        if extract short --batch 64 --gpu-memory $limit && grep -q "items at once" "$work/short.log"; then
            if [ "$(digest whole)" = "$(digest short)" ]; then row "halved within $limit MiB" ok "$(grep -c 'items at once' "$work/short.log") halvings, same bytes"
            else row "halved within $limit MiB" FAILED "other bytes"; fi
        elif grep -q -E "memory|MiB" "$work/short.log"; then row "halved within $limit MiB" - "$(grep -E "memory|MiB" "$work/short.log" | tail -1 | cut -c1-110)"
        else row "halved within $limit MiB" - "all of a batch has room"; fi
        rm -rf "$work/short"
    done
}

# NVDEC against software: frames to the byte.
nvdec_frames() {
    local video name why
    for video in "${films[@]}"; do
        name="NVDEC, $(basename "$video")"
        timeout 60 "$tubelet" frames "$video" --out "$work/cpu.npy" --decoder cpu >/dev/null 2>&1
        timeout 60 "$tubelet" frames "$video" --out "$work/nvdec.npy" --decoder nvdec >/dev/null 2>"$work/nvdec.log"
        why=$(sed -n 's/.*decoded on the processor: //p' "$work/nvdec.log" | head -1)
        if [ -n "$why" ]; then
            row "$name" - "$why"
            echo "$why" >"$work/no_nvdec"
        elif cmp -s "$work/cpu.npy" "$work/nvdec.npy"; then row "$name" ok "the same frames"
        else row "$name" FAILED "other frames, or none: $(tail -1 "$work/nvdec.log" | cut -c1-90)"; fi
        rm -f "$work/cpu.npy" "$work/nvdec.npy"
    done
}

# Frames that stay on the GPU, and frames that are brought there: the same features.
frames_there() {
    local options base why
    for options in "--decoder nvdec" "--decoder nvdec --resize cpu" "--decoder nvdec --transform opentad" "--resize gpu"; do
        base=whole
        [[ $options != *opentad* ]] || { base=opentad; extract opentad --transform opentad; }
        if extract frames $options && [ "$(digest $base)" = "$(digest frames)" ]; then
            why=$(sed -n 's/.*processor, as are others like it: //p; s/.*\(GPU [0-9]* makes no more\)/\1/p' "$work/frames.log" | head -1)
            row "features, $options" "$([ -n "$why" ] && echo - || echo ok)" "${why:-$(summary frames)}"
        else row "features, $options" FAILED "$(tail -1 "$work/frames.log" | cut -c1-120)"; fi
        rm -rf "$work/frames"
    done
}

# Memory errors and races: of our kernels, whose work is small there.
sanitize() { # tool name command...
    if ! command -v compute-sanitizer >/dev/null || ! nvidia-smi >/dev/null 2>&1; then row "compute-sanitizer $1, $2" - "not here"
    else part "compute-sanitizer $1, $2" $((limit / 4)) compute-sanitizer --tool "$1" --error-exitcode 9 "${@:3}"; fi
}

extract whole
sections=0
[ -n "${SMALL:-}" ] || for size in onevision:large videomae:base videomae:large dinov3:large; do model_of $size >/dev/null & done
mapfile -t films < <(ls "$work"/videos/*.mp4 "$work"/videos/*.webm 2>/dev/null | head -4)
long=$(ls -S "$work"/videos/* | head -1)
export TUBELET_ISA=scalar TEST_BACKEND=cuda # beside one level of the processor's: the GPU's answers don't depend on it
section part "conformance of operations" $((limit / 4)) "$bin/test_backend_operations"
section part "conformance of networks" 100 "$bin/test_backend_networks"
section part "goldens, f32 tf32 f16 bf16" 100 "$bin/test_golden"
section part "frames, the processor's bytes" 100 "$bin/test_gpu_frames"
unset TUBELET_ISA TEST_BACKEND
section same_bytes
section halving
section nvdec_frames
section frames_there
for family in videomae onevision; do "$tubelet" init $family:tiny "$work/$family" >/dev/null; done
for tool in memcheck racecheck; do
    for family in videomae onevision; do
        section sanitize $tool $family \
            "$tubelet" bench --case forward --model "$work/$family" --clips 2 --repeat 1 --device cuda --no-autotune --no-graph --no-cudnn
    done
    section sanitize $tool frames "$bin/test_gpu_frames"
done
end_sections
no_nvdec=$(cat "$work/no_nvdec" 2>/dev/null)

# ---- frames: how fast ----
rate_of() { # decoder video: frames a second
    timeout 60 "$tubelet" bench --case decode --repeat 3 --json --decoder "$1" --video "$2" 2>>"$work/nvdec.log" | tail -1 |
        sed -n 's/.*"frames_per_second":\([0-9.e+-]*\).*/\1/p'
}
row "decoding, $(basename "$long")" - "$([ -n "$no_nvdec" ] || echo "NVDEC $(rate_of nvdec "$long") frames/s, ")software $(rate_of cpu "$long") frames/s"
if timeout 100 "$bin/gpu_frames_speed" $([ -z "${SMALL:-}" ] || echo 1) >"$work/speed.log" 2>&1; then
    while read -r line; do row "NV12 to patches" - "$line"; done <"$work/speed.log"
else row "NV12 to patches" FAILED "$(tail -1 "$work/speed.log" | cut -c1-110)"; fi
if [ -z "${SMALL:-}" ] && python3 -c 'import torch, torchvision; assert torch.cuda.is_available()' 2>/dev/null; then
    row "  the same, PyTorch" - "$(timeout 60 python3 "$here/tools/gpu_frames_peer.py" 2>"$work/peer.log" | tail -1)"
else row "  the same, PyTorch" - "no torch with CUDA and torchvision here"; fi

# ---- what each thing is worth ----
timeout 100 "$bin/gpu_joined_speed" $([ -z "${SMALL:-}" ] || echo 1) >"$work/speed.log" 2>&1 && code=0 || code=$?
while read -r line; do row "product with the step behind it" - "$line"; done <"$work/speed.log"
[ $code = 0 ] || row "product with the step behind it" FAILED "exit code $code (124: 100 s weren't enough)"
batch=$([ -n "${SMALL:-}" ] && echo 4 || echo 32)
for dtype in f32 tf32 bf16 f16 fp8; do
    row "forward, $clip x $batch, $dtype" - "$(seconds_of --model "$work/clip" --clips $batch --dtype $dtype) s"
done
for without in no-graph no-autotune no-cudnn blocking-copies; do
    row "  f16 --$without" - "$(seconds_of --model "$work/clip" --clips $batch --dtype f16 --$without) s"
done
row "  f16, one clip" - "$(seconds_of --model "$work/clip" --clips 1 --batch 1 --dtype f16) s"
row "videos to features" - "$(summary whole)"

# ---- PyTorch on this card ----
per_item() { # seconds items
    awk -v s="$1" -v n="$2" 'BEGIN { if (s > 0) printf "%s s, %.3f ms an item", s, 1000 * s / n; else printf "failed" }'
}
ours_of() { # size items goals: a forward in float16
    local name="forward, $1 x $2"
    in_time "$name" || return 0
    row "$name" - "tubelet $(per_item "$(seconds_of --model "$(model_of "$1")" --clips "$2" --batch "$2" --dtype f16)" "$2"); $3"
}
torch_of() { # size items,.. mode
    local answer name="forward, $1, PyTorch"
    [ -n "$torch" ] && in_time "$name" || return 0
    at_most 120 python3 "$here/tools/gpu_peer.py" "$(model_of "$1")" "$2" "$3" 2>"$work/peer.log" >"$work/peer.out"
    while read -r answer; do row "$name" - "$answer"; done <"$work/peer.out"
    [ -s "$work/peer.out" ] || row "$name" - "failed, or had no time: $(tail -1 "$work/peer.log" | cut -c1-90)"
}
declare -A had
has() { # Python modules, on a machine with CUDA for PyTorch
    [ -n "${had[$1]:-}" ] || had[$1]=$([ -z "${SMALL:-}" ] && python3 -c "import torch, $1; assert torch.cuda.is_available()" 2>/dev/null && echo yes || echo no)
    [ "${had[$1]}" = yes ]
}
torch=$(has transformers && echo yes)
[ -n "$torch" ] || row "PyTorch on this card" - "no torch with CUDA and transformers here"

# ---- whole videos; the original's loop, before and after its guide ----
end_to_end() { # model videos options...: clips and seconds, those without opening the model too
    at_most 100 "$tubelet" bench --case end-to-end --device cuda --dtype f16 --model "$1" --video "$2" --json "${@:3}" 2>"$work/bench.log" | tail -1 >"$work/bench.json"
    awk -v s="$(field seconds)" -v start="$(field start_seconds)" -v n="$(field clips)" \
        'BEGIN { if (s > 0) printf "tubelet %d clips in %.3f s, %.3f s of them steady", n, s, s - start; else exit 1 }' ||
        echo "failed: $(tail -1 "$work/bench.log" | cut -c1-90)"
}
field() { sed -n "s/.*\"$1\":\([0-9.e+-]*\).*/\1/p" "$work/bench.json"; }
mkdir -p "$work/one" "$work/many"
cp "$long" "$work/one"
for i in $(seq $([ -n "${SMALL:-}" ] && echo 2 || echo 16)); do ln -s "$long" "$work/many/v$i.mp4"; done
whole_video() { # size goals: all windows at stride 4 of the longest video
    in_time "whole video, $1" || return 0
    row "whole video, $1" - "$(end_to_end "$(model_of "$1")" "$work/one" --stride 4 --transform opentad); $2"
}
original_of() { # size options...
    local name="whole video, $1, the original ${*:2}"
    in_time "$name" || return 0
    [ -n "$torch" ] && has decord || { row "$name" - "no torch with CUDA, transformers and decord here"; return 0; }
    row "$name" - "$(at_most 150 python3 "$here/bench/original.py" "$(model_of "$1")" "$work/one" "$work/original" --device cuda --windows 226 "${@:2}" 2>"$work/peer.log" | tail -1)"
}

# ---- many videos into a network, window by window: the processors decode, NVDEC does, or both do ----
decoding_feeds() { # size
    local decoder name
    for decoder in cpu nvdec both; do
        name="videos, stride 16, decoder $decoder"
        [ $decoder = cpu ] || [ -z "$no_nvdec" ] || { row "$name" - "$no_nvdec"; continue; }
        in_time "$name" || return 0
        row "$name" - "$(end_to_end "$(model_of "$1")" "$work/many" --stride 16 --decoder $decoder)"
    done
}
torchcodec_of() { # size device goal
    local name="videos, stride 16, torchcodec on $2" threads
    in_time "$name" || return 0
    threads=$(nproc)
    [ "$threads" -le 16 ] || threads=16
    [ -n "$torch" ] && has "torchcodec.decoders, torchvision" || { row "$name" - "no torch with CUDA, transformers, torchvision and torchcodec here"; return 0; }
    row "$name" - "$(at_most 60 python3 "$here/tools/gpu_decode_peer.py" "$(model_of "$1")" "$work/many" --decode-on "$2" --threads "$threads" 2>"$work/peer.log" | tail -1); goal ≥ $3×"
}

# Ours first, then the others, what matters most first: time may be short.
if [ -n "${SMALL:-}" ]; then
    ours_of videomae:tiny 2 "no goal"
    whole_video videomae:tiny "no goal"
    decoding_feeds videomae:tiny
    torch_of videomae:tiny 2 max-autotune
    original_of videomae:tiny
    torchcodec_of videomae:tiny cpu 1
else
    for items in 16 64; do ours_of onevision:large $items "goals ≥ 1.6× eager, ≥ 1.15×, ≤ 7.2 ms"; done
    ours_of videomae:base 32 "goals ≥ 1.5× eager, ≥ 1.15×, ≤ 0.62 ms"
    for items in 1 2 4; do ours_of videomae:base $items "goals ≥ 2.2× eager, ≥ 1.15×"; done
    ours_of videomae:large 16 "goals ≥ 1.5× eager, ≥ 1.15×, ≤ 1.9 ms"
    ours_of dinov3:large 64 "goals ≥ 1.7× eager, ≥ 1.15×, ≤ 0.19 ms"
    whole_video onevision:large "goals ≥ 22× before, ≥ 3.3× after, ≤ 1.9 s steady"
    whole_video dinov3:large "goal ≥ 9× after"
    decoding_feeds videomae:base
    torch_of videomae:base 32 max-autotune
    original_of onevision:large
    torch_of onevision:large 16 max-autotune
    torchcodec_of videomae:base cuda 1.2
    torch_of videomae:base 1,2,4 reduce-overhead
    original_of onevision:large --after
    torch_of dinov3:large 64 max-autotune
    original_of dinov3:large --after
    torch_of videomae:large 16 max-autotune
    torchcodec_of videomae:base cpu 1.3
fi
echo
echo "$((SECONDS - began)) s"
exit $failed
