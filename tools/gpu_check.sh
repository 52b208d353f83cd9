#!/usr/bin/env bash
# gpu_check.sh [PACK]: checks everything that only a GPU can show, in under 8 minutes, and prints a table. PACK: what
# tools/gpu_pack.sh made (.gpu/pack.tar.xz). Without one, the files of build/ are taken. If gpu_pack.sh --peers was run
# too (.gpu/peers.tar.xz), its decord and torchcodec are used.
#
# Parts: conformance of every operation and the goldens in each type, the same bytes in any batch, halving under a
# memory limit, NVDEC's frames against software's, compute-sanitizer; then figures (gpu_figures.sh): an ablation of
# types, graphs, tuning, overlap and cuDNN and, on the same card, PyTorch's forwards, the original's loop, and
# torchcodec feeding a network (gpu_peer.py, bench/original.py, gpu_decode_peer.py; if torch, transformers, decord and
# torchcodec are installed). A part that isn't possible here says so. No figure begins after 7.5 minutes, and none
# continues beyond eight. Exit code 1: a part failed.
#
# LIMIT=N: N seconds instead. KEEP=FOLDER: keeps the logs of the parts there. STATE=FOLDER: remembers there what has
# been shown; the next call with it shows the rest, and again what failed or had no time. This is for machines that
# limit a command's time, or the files sent along with it. SMALL=1 takes tiny models: to try the script itself, for
# example on the fake GPU (TUBELET_CUDA_PLUGIN=build/tests/libfake_gpu.so).
set -uo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
pack=${1:-$here/.gpu/pack.tar.xz}
peers=$here/.gpu/peers.tar.xz
work=${STATE:-$(mktemp -d)}
mkdir -p "$work"
trap '[ -z "${KEEP:-}" ] || cp "$work"/*.log "$KEEP"; [ -n "${STATE:-}" ] || rm -rf "$work"' EXIT
began=$SECONDS
limit=${LIMIT:-480}
no_time="not run: the time is used up"
slack=$([ -n "${SMALL:-}" ] && echo 6 || echo 1) # the fake computes on the machine's processors
failed=0

bin=$work/bin
if [ -e "$work/source" ] || [ -f "$pack" ]; then
    [ -e "$work/source" ] || tar -C "$work" -xf "$pack"
    export LD_LIBRARY_PATH=$work/lib:${LD_LIBRARY_PATH:-}
    # The tests look for their data in the folder where they were built.
    source=$(cat "$work/source")
    if [ "$source" != "$here" ] && [ ! -e "$source" ]; then
        mkdir -p "$(dirname "$source")" && ln -s "$here" "$source"
    fi
elif [ ! -e "$bin" ]; then
    mkdir -p "$work/bin" "$work/videos"
    cp "$here"/build/tubelet "$here"/build/tests/test_{backend_operations,backend_networks,golden,gpu_frames} "$here"/build/tests/gpu_{frames,joined}_speed "$work/bin"
    [ ! -f "$here/build/libtubelet_cuda.so" ] || cp "$here/build/libtubelet_cuda.so" "$work/bin"
    for seconds in 2 3 4; do
        ffmpeg -v error -nostdin -y -f lavfi -i "testsrc2=duration=$seconds:size=320x240:rate=30" -pix_fmt yuv420p "$work/videos/v$seconds.mp4"
    done
fi
if [ -f "$peers" ]; then tar -C "$work" -xf "$peers"; fi
export PYTHONPATH=$work/site:${PYTHONPATH:-}
export TORCHINDUCTOR_CACHE_DIR=${TORCHINDUCTOR_CACHE_DIR:-$work/inductor} # resumes a compilation that was cut short
# cuBLASLt and cuDNN from PyTorch's wheels.
for folder in $(python3 -c 'import nvidia, glob; print(*[g for p in nvidia.__path__ for g in glob.glob(p + "/*/lib")])' 2>/dev/null); do
    LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}:$folder
done
export LD_LIBRARY_PATH
export XDG_CACHE_HOME=$work/cache # hides what earlier runs measured and remembered
tubelet=$bin/tubelet

row() { # part, result, detail
    printf '| %-34s | %-8s | %s |\n' "$1" "$2" "$3"
    [ "$2" != FAILED ] || failed=1
}

# A command that waits for a GPU in vain ignores the first signal.
stop_after() { # seconds command...
    timeout -k 5 "$@"
}

shown() { # name: whether an earlier call has shown it
    grep -qxF "$1" "$work/done" 2>/dev/null
}

echo "commit $(cat "$work/commit" 2>/dev/null || git -C "$here" rev-parse HEAD), $(date -u +%F)"
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null
"$tubelet" doctor 2>/dev/null | grep -E '^(GPU|backends +cuda| +cuda)' | cut -c1-200
echo
row part result detail
row :--- :--- :---

# ---- right answers: all at once, not timed ----
sections=()
section() { # name command...: its output is shown when all are done; a cache for each, as they share the card
    shown "$1" && return
    sections+=("$1")
    XDG_CACHE_HOME=$work/cache${#sections[@]} "${@:2}" >"$work/section${#sections[@]}" 2>&1 &
}

end_sections() {
    local n said all=yes
    wait
    for n in "${!sections[@]}"; do
        said=$work/section$((n + 1))
        cat "$said"
        ! grep -q '| FAILED ' "$said" || failed=1
        if grep -q -e '| FAILED ' -e "$no_time" "$said"; then all=no
        else echo "${sections[n]}" >>"$work/done"; fi
    done
    [ $all = no ] || echo "right answers" >>"$work/done"
}

test_of() { section "$1" part "$@"; }

part() { # name seconds command...: ok or FAILED by its exit code, with its last line as the detail
    local log=$work/part${#sections[@]}.log code
    stop_after $(($2 * slack)) "${@:3}" >"$log" 2>&1
    code=$?
    if [ "$code" = 0 ]; then row "$1" ok "$( (grep PASSED "$log" || tail -1 "$log") | tail -1 | cut -c1-110)"
    else row "$1" FAILED "exit $code: $(grep -E 'ERROR|relative error|max-abs|cosine|rror' "$log" | tail -1 | cut -c1-160)"; fi
}

model_of() { # size: the folder of a random checkpoint, which is made once
    local folder=$work/model-${1/:/-}
    [ -d "$folder" ] || { rm -rf "$folder.part" && "$tubelet" init "$1" "$folder.part" >/dev/null 2>&1 && mv "$folder.part" "$folder"; }
    echo "$folder"
}

clip=videomae:$([ -n "${SMALL:-}" ] && echo tiny || echo base)
extract() { # out options...: only within the first half of the time
    local left=$((limit / 2 * slack - SECONDS + began))
    [ $left -gt 0 ] || { echo "$no_time" >"$work/$1.log"; return 124; }
    stop_after $left "$tubelet" extract "$work/videos" --model "$(model_of "$clip")" --out "$work/$1" --device cuda "${@:2}" >"$work/$1.log" 2>&1
}
summary() { grep -h -o '[0-9]* frames, .*clips.s' "$work/$1.log" | tail -1; }
digest() { (cd "$work/$1" && sha256sum ./*.npy | sha256sum); }
broken() { # name log code: reports an extraction that wasn't right, or wasn't begun
    local why
    why=$(tail -1 "$work/$2.log" | cut -c1-110)
    if [ "$why" = "$no_time" ]; then row "$1" - "$why"
    elif [ "$3" = 0 ]; then row "$1" FAILED "other bytes"
    else row "$1" FAILED "exit $3: $why"; fi
}

same_bytes() {
    local options code
    for options in "--batch 1" "--batch 7" "--batch 64" "--decode-threads 1 --batch 5"; do
        extract other $options && code=0 || code=$?
        if [ $code = 0 ] && [ "$(digest whole)" = "$(digest other)" ]; then row "same bytes, $options" ok "$(summary other)"
        else broken "same bytes, $options" other $code; fi
        rm -rf "$work/other"
    done
}

halving() {
    local mib code
    for mib in 700 500 38; do # MiB; base needs about 400, tiny about 40
        rm -f "$XDG_CACHE_HOME/tubelet/gpu-fits.txt"
        extract short --batch 64 --gpu-memory $mib && code=0 || code=$?
        if [ $code = 0 ] && grep -q "items at once" "$work/short.log"; then
            if [ "$(digest whole)" = "$(digest short)" ]; then row "halved within $mib MiB" ok "$(grep -c 'items at once' "$work/short.log") halvings, same bytes"
            else broken "halved within $mib MiB" short 0; fi
        elif [ $code = 0 ]; then row "halved within $mib MiB" - "all of a batch has room"
        elif grep -q "MiB of GPU memory are allowed" "$work/short.log"; then row "halved within $mib MiB" - "$(grep "MiB of GPU memory are allowed" "$work/short.log" | tail -1 | cut -c1-110)"
        else broken "halved within $mib MiB" short $code; fi
        rm -rf "$work/short"
    done
}

# NVDEC against software: the frames must be equal to the byte.
nvdec_frames() {
    local video name why
    rm -f "$work/no_nvdec"
    for video in "${films[@]}"; do
        name="NVDEC, $(basename "$video")"
        stop_after 60 "$tubelet" frames "$video" --out "$work/cpu.npy" --decoder cpu >/dev/null 2>&1
        stop_after 60 "$tubelet" frames "$video" --out "$work/nvdec.npy" --decoder nvdec >/dev/null 2>"$work/nvdec.log"
        why=$(sed -n 's/.*decoded on the processor: //p' "$work/nvdec.log" | head -1)
        if [ -n "$why" ]; then
            row "$name" - "$why"
            [ "$video" != "$long" ] || echo "$why" >"$work/no_nvdec"
        elif cmp -s "$work/cpu.npy" "$work/nvdec.npy"; then row "$name" ok "the same frames"
        else row "$name" FAILED "other frames, or none: $(tail -1 "$work/nvdec.log" | cut -c1-90)"; fi
        rm -f "$work/cpu.npy" "$work/nvdec.npy"
    done
}

# Frames that stay on the GPU and frames that are copied to it must give the same features.
frames_there() {
    local options base why code
    for options in "--decoder nvdec" "--decoder nvdec --resize cpu" "--decoder nvdec --transform opentad" "--resize gpu"; do
        base=whole
        [[ $options != *opentad* ]] || { base=opentad; extract opentad --transform opentad; }
        extract frames $options && code=0 || code=$?
        if [ $code = 0 ] && [ "$(digest $base)" = "$(digest frames)" ]; then
            why=$(sed -n 's/.*processor, as are others like it: //p; s/.*\(GPU [0-9]* makes no more\)/\1/p' "$work/frames.log" | head -1)
            row "features, $options" "$([ -n "$why" ] && echo - || echo ok)" "${why:-$(summary frames)}"
        else broken "features, $options" frames $code; fi
        rm -rf "$work/frames"
    done
}

# Looks for memory errors and races in our kernels, with little work.
sanitize() { # tool name command...
    if ! command -v compute-sanitizer >/dev/null || ! nvidia-smi >/dev/null 2>&1; then row "compute-sanitizer $1, $2" - "not here"
    else part "compute-sanitizer $1, $2" $((limit / 4)) compute-sanitizer --tool "$1" --error-exitcode 9 "${@:3}"; fi
}

mapfile -t films < <(ls "$work"/videos/*.mp4 "$work"/videos/*.webm "$work"/kinds/* 2>/dev/null)
long=$(ls -S "$work"/videos/* | head -1)
right_answers() {
    local family size tool
    rm -rf "$work"/{whole,opentad,other,short,frames} # left by an earlier call
    extract whole
    [ -n "${SMALL:-}" ] || python3 -c 'import torch, transformers' >/dev/null 2>&1 & # the first time is slow: from disk
    [ -n "${SMALL:-}" ] || for size in onevision:large videomae:base videomae:large dinov3:large; do model_of $size >/dev/null & done
    export TUBELET_ISA=scalar TEST_BACKEND=cuda # one CPU level is enough: the GPU's answers don't depend on it
    test_of "conformance of operations" $((limit / 4)) "$bin/test_backend_operations"
    test_of "conformance of networks" 100 "$bin/test_backend_networks"
    test_of "goldens, f32 tf32 f16 bf16" 100 "$bin/test_golden"
    test_of "frames, the processor's bytes" 100 "$bin/test_gpu_frames"
    unset TUBELET_ISA TEST_BACKEND
    section "same bytes" same_bytes
    section halving halving
    section "NVDEC's frames" nvdec_frames
    section "frames there" frames_there
    for tool in memcheck racecheck; do
        for family in videomae onevision; do
            section "$tool, $family" sanitize $tool $family \
                "$tubelet" bench --case forward --model "$(model_of $family:tiny)" --clips 2 --repeat 1 --device cuda --no-autotune --no-graph --no-cudnn
        done
        section "$tool, frames" sanitize $tool frames "$bin/test_gpu_frames"
    done
    end_sections
}

if ! shown "right answers"; then right_answers; fi
no_nvdec=$(cat "$work/no_nvdec" 2>/dev/null)

. "$here/tools/gpu_figures.sh"

echo
echo "$((SECONDS - began)) s"
exit $failed
