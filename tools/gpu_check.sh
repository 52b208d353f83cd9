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
# SMALL=1 takes tiny models: to try the script itself on the fake GPU, say (TUBELET_CUDA_PLUGIN=build/tests/libfake_gpu.so).
set -uo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
pack=${1:-$here/.gpu/pack.tar.xz}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
began=$SECONDS
slack=$([ -n "${SMALL:-}" ] && echo 6 || echo 1) # the fake computes on what processors there are
failed=0
parts=()

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

begin_part() { # name seconds command...: beside the others
    local n=${#parts[@]} limit=$(($2 * slack))
    parts+=("$1")
    (
        timeout "$limit" "${@:3}" >"$work/part$n.log" 2>&1
        echo $? >"$work/part$n.code"
    ) &
}

end_parts() { # ok or FAILED by their exit codes, their last lines as details
    local n log code
    wait
    for n in "${!parts[@]}"; do
        log=$work/part$n.log code=$(cat "$work/part$n.code")
        if [ "$code" = 0 ]; then row "${parts[n]}" ok "$( (grep PASSED "$log" || tail -1 "$log") | tail -1 | cut -c1-110)"
        else row "${parts[n]}" FAILED "exit $code: $(grep -E 'ERROR|relative error|max-abs|cosine|rror' "$log" | tail -1 | cut -c1-160)"; fi
    done
    parts=()
}

in_time() { # name: whether there is time left for what is only a figure
    [ $((SECONDS - began)) -lt $((420 * slack)) ] || { row "$1" - "not run: the time is used up"; return 1; }
}

at_most() { # seconds command...: for so long, and not beyond the eight minutes
    local left=$((475 * slack - SECONDS + began))
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

# ---- right answers ----
export TUBELET_ISA=scalar # one level of the processor's: the GPU's answers don't depend on it
begin_part "conformance of operations" 100 "$bin/test_backend_operations"
begin_part "conformance of networks" 100 "$bin/test_backend_networks"
begin_part "goldens, f32 tf32 f16 bf16" 100 "$bin/test_golden"
begin_part "frames, the processor's bytes" 100 "$bin/test_gpu_frames"
end_parts
unset TUBELET_ISA

clip=videomae:$([ -n "${SMALL:-}" ] && echo tiny || echo base)
"$tubelet" init "$clip" "$work/clip" >/dev/null
extract() { # out options...
    "$tubelet" extract "$work/videos" --model "$work/clip" --out "$work/$1" --device cuda "${@:2}" >"$work/$1.log" 2>&1
}
digest() { (cd "$work/$1" && sha256sum ./*.npy | sha256sum); }
extract whole
for options in "--batch 1" "--batch 7" "--batch 64" "--decode-threads 1 --batch 5"; do
    if extract other $options && [ "$(digest whole)" = "$(digest other)" ]; then row "same bytes, $options" ok "$(tail -1 "$work/other.log" | cut -c1-90)"
    else row "same bytes, $options" FAILED "$(tail -1 "$work/other.log" | cut -c1-120)"; fi
    rm -rf "$work/other"
done
for limit in 700 500 38; do # MiB; base needs some 400, tiny some 40
    rm -f "$work/cache/tubelet/gpu-fits.txt"
    if extract short --batch 64 --gpu-memory $limit && grep -q "items at once" "$work/short.log"; then
        if [ "$(digest whole)" = "$(digest short)" ]; then row "halved within $limit MiB" ok "$(grep -c 'items at once' "$work/short.log") halvings, same bytes"
        else row "halved within $limit MiB" FAILED "other bytes"; fi
    elif grep -q -E "memory|MiB" "$work/short.log"; then row "halved within $limit MiB" - "$(grep -E "memory|MiB" "$work/short.log" | tail -1 | cut -c1-110)"
    else row "halved within $limit MiB" - "all of a batch has room"; fi
    rm -rf "$work/short"
done

# ---- NVDEC against software: frames to the byte, frames a second ----
rate_of() { # decoder video: frames a second
    timeout 60 "$tubelet" bench --case decode --repeat 3 --json --decoder "$1" --video "$2" 2>>"$work/nvdec.log" | tail -1 |
        sed -n 's/.*"frames_per_second":\([0-9.e+-]*\).*/\1/p'
}
for video in $(ls "$work"/videos/*.mp4 2>/dev/null | head -3); do
    name="NVDEC, $(basename "$video")"
    : >"$work/nvdec.log"
    timeout 60 "$tubelet" frames "$video" --out "$work/cpu.npy" --decoder cpu >/dev/null 2>&1
    timeout 60 "$tubelet" frames "$video" --out "$work/nvdec.npy" --decoder nvdec >/dev/null 2>"$work/nvdec.log"
    why=$(sed -n 's/.*decoded on the processor: //p' "$work/nvdec.log" | head -1)
    no_nvdec=${no_nvdec:-$why}
    if [ -n "$why" ]; then row "$name" - "$why"
    elif cmp -s "$work/cpu.npy" "$work/nvdec.npy"; then
        row "$name" ok "the same frames; $(rate_of nvdec "$video") frames/s, software $(rate_of cpu "$video")"
    else row "$name" FAILED "other frames, or none: $(tail -1 "$work/nvdec.log" | cut -c1-90)"; fi
    rm -f "$work/cpu.npy" "$work/nvdec.npy"
done

# ---- frames that stay on the GPU, and frames that are brought there: the same features ----
for options in "--decoder nvdec" "--decoder nvdec --resize cpu" "--decoder nvdec --transform opentad" "--resize gpu"; do
    base=whole
    [[ $options != *opentad* ]] || { base=opentad; extract opentad --transform opentad; }
    if extract frames $options && [ "$(digest $base)" = "$(digest frames)" ]; then
        why=$(sed -n 's/.*processor, as are others like it: //p; s/.*\(GPU [0-9]* makes no more\)/\1/p' "$work/frames.log" | head -1)
        row "features, $options" "$([ -n "$why" ] && echo - || echo ok)" "${why:-$(tail -1 "$work/frames.log" | cut -c1-90)}"
    else row "features, $options" FAILED "$(tail -1 "$work/frames.log" | cut -c1-120)"; fi
    rm -rf "$work/frames"
done
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
row "videos to features" - "$(tail -2 "$work/whole.log" | head -1 | cut -c1-110)"

# ---- memory errors and races: of our kernels, whose work is small there ----
for tool in memcheck racecheck; do
    if ! command -v compute-sanitizer >/dev/null || ! nvidia-smi >/dev/null 2>&1; then
        row "compute-sanitizer $tool" - "not here"
        continue
    fi
    sanitizer=(compute-sanitizer --tool $tool --error-exitcode 9)
    for family in videomae onevision; do
        [ -d "$work/$family" ] || "$tubelet" init $family:tiny "$work/$family" >/dev/null
        begin_part "compute-sanitizer $tool, $family" 90 "${sanitizer[@]}" \
            "$tubelet" bench --case forward --model "$work/$family" --clips 2 --repeat 1 --device cuda --no-autotune --no-graph --no-cudnn
    done
    begin_part "compute-sanitizer $tool, frames" 90 "${sanitizer[@]}" "$bin/test_gpu_frames"
done
end_parts

# ---- PyTorch on this card ----
fresh_model() { # size: a random checkpoint in $work/peer
    rm -rf "$work/peer"
    "$tubelet" init "$1" "$work/peer" >/dev/null 2>&1
}
per_item() { # seconds items
    awk -v s="$1" -v n="$2" 'BEGIN { if (s > 0) printf "%s s, %.3f ms an item", s, 1000 * s / n; else printf "failed" }'
}
ours_of() { # size items goals: a forward in float16
    local name="forward, $1 x $2"
    in_time "$name" || return 1
    fresh_model "$1" || { row "$name" FAILED "no such size"; return 1; }
    row "$name" - "tubelet $(per_item "$(seconds_of --model "$work/peer" --clips "$2" --batch "$2" --dtype f16)" "$2"); $3"
}
peer_of() { # size items mode goals: the same beside PyTorch's
    ours_of "$1" "$2" "$4" || return 0
    [ -n "$torch" ] && row "  the same, PyTorch" - "$(at_most 100 python3 "$here/tools/gpu_peer.py" "$work/peer" "$2" "$3" 2>"$work/peer.log" | tail -1)"
}
declare -A had
has() { # Python modules, on a machine with CUDA for PyTorch
    [ -n "${had[$1]:-}" ] || had[$1]=$([ -z "${SMALL:-}" ] && python3 -c "import torch, $1; assert torch.cuda.is_available()" 2>/dev/null && echo yes || echo no)
    [ "${had[$1]}" = yes ]
}
torch=$(has transformers && echo yes)
[ -n "$torch" ] || row "PyTorch on this card" - "no torch with CUDA and transformers here"

# ---- whole videos: ours beside the original's loop, before and after its guide ----
end_to_end() { # videos options...: clips and seconds, those without opening the model too
    at_most 100 "$tubelet" bench --case end-to-end --device cuda --dtype f16 --model "$work/peer" --video "$1" --json "${@:2}" 2>"$work/bench.log" | tail -1 >"$work/bench.json"
    awk -v s="$(field seconds)" -v start="$(field start_seconds)" -v n="$(field clips)" \
        'BEGIN { if (s > 0) printf "tubelet %d clips in %.3f s, %.3f s of them steady", n, s, s - start; else exit 1 }' ||
        echo "failed: $(tail -1 "$work/bench.log" | cut -c1-90)"
}
field() { sed -n "s/.*\"$1\":\([0-9.e+-]*\).*/\1/p" "$work/bench.json"; }
whole_video() { # size goals: all windows at stride 4 of the longest video
    local name="whole video, $1" long="$work/long" more
    in_time "$name" || return 0
    rm -rf "$long" && mkdir -p "$long" && cp "$(ls -S "$work"/videos/* | head -1)" "$long" && fresh_model "$1"
    row "$name" - "$(end_to_end "$long" --stride 4 --transform opentad); $2"
    [ -n "$torch" ] && has decord || { row "  the original" - "no torch with CUDA, transformers and decord here"; return 0; }
    for more in "" --after; do
        in_time "  the original $more" || return 0
        row "  the original $more" - "$(at_most 150 python3 "$here/bench/original.py" "$work/peer" "$long" "$work/original" --device cuda --windows 226 $more 2>"$work/peer.log" | tail -1)"
    done
}

# ---- many videos into a network, window by window: the processors decode, or NVDEC does ----
decoding_feeds() { # size copies
    local many="$work/many" decoder threads peer i name="videos to VideoMAE, stride 16"
    in_time "$name" || return 0
    rm -rf "$many" && mkdir -p "$many" && fresh_model "$1"
    for i in $(seq "$2"); do cp "$(ls -S "$work"/videos/* | head -1)" "$many/v$i.mp4"; done
    threads=$(nproc)
    [ "$threads" -le 16 ] || threads=16
    for decoder in cpu nvdec; do
        peer=$([ $decoder = cpu ] && echo cpu || echo cuda)
        [ $decoder = cpu ] || [ -z "${no_nvdec:-}" ] || { row "$name, $decoder" - "$no_nvdec"; continue; }
        in_time "$name, $decoder" || return 0
        row "$name, $decoder" - "$(end_to_end "$many" --stride 16 --decode-threads "$threads" --decoder $decoder); goal ≥ $([ $decoder = cpu ] && echo 1.3 || echo 1.2)×"
        [ -n "$torch" ] && has "torchcodec.decoders, torchvision" || { row "  torchcodec" - "no torch with CUDA, transformers, torchvision and torchcodec here"; continue; }
        row "  torchcodec, decoding on $peer" - "$(at_most 60 python3 "$here/tools/gpu_decode_peer.py" "$work/peer" "$many" --decode-on $peer --threads "$threads" 2>"$work/peer.log" | tail -1)"
    done
}

if [ -n "${SMALL:-}" ]; then
    whole_video videomae:tiny "no goal"
    decoding_feeds videomae:tiny 2
    peer_of videomae:tiny 2 max-autotune "no goal"
    peer_of videomae:tiny 1 reduce-overhead "no goal"
else
    whole_video onevision:large "goals ≥ 22× before, ≥ 3.3× after, ≤ 1.9 s steady"
    whole_video dinov3:large "goal ≥ 9× after"
    decoding_feeds videomae:base 16
    ours_of onevision:large 64 "goal ≤ 7.2 ms"
    peer_of onevision:large 16 max-autotune "goals ≥ 1.6× eager, ≥ 1.15×, ≤ 7.2 ms"
    peer_of videomae:base 32 max-autotune "goals ≥ 1.5× eager, ≥ 1.15×, ≤ 0.62 ms"
    for items in 1 2 4; do peer_of videomae:base $items reduce-overhead "goals ≥ 2.2× eager, ≥ 1.15×"; done
    peer_of dinov3:large 64 max-autotune "goals ≥ 1.7× eager, ≥ 1.15×, ≤ 0.19 ms"
    peer_of videomae:large 16 max-autotune "goals ≥ 1.5× eager, ≥ 1.15×, ≤ 1.9 ms"
fi
echo
echo "$((SECONDS - began)) s"
exit $failed
