# gpu_figures.sh: read by gpu_check.sh: the figures of its table. A figure is a function that prints the details of its
# rows. It is taken if there is time, and if no earlier call has taken it. Its exit code: 1 if it couldn't be taken, 2
# if something of ours is broken.

figure() { # name command...
    local line code result=-
    shown "$1" && return
    [ $((SECONDS - began)) -lt $(((limit - 30) * slack)) ] || { row "$1" - "$no_time"; return; }
    "${@:2}" >"$work/figure.out" && code=0 || code=$?
    [ $code != 0 ] || echo "$1" >>"$work/done"
    [ $code != 2 ] || result=FAILED
    while read -r line; do row "$1" "$result" "$line"; done <"$work/figure.out"
}

at_most() { # seconds command...: for at most so long, and not beyond the eight minutes
    local left=$(((limit - 5) * slack - SECONDS + began))
    [ $left -gt 0 ] || return 124
    stop_after $((left < $1 ? left : $1)) "${@:2}"
}

or_why() { # log command...: if the command prints nothing, the last line of the log
    local said
    said=$("${@:2}" 2>"$1")
    [ -z "$said" ] || { echo "$said"; return 0; }
    echo "failed, or had no time: $(tail -1 "$1" | cut -c1-90)"
    return 1
}

has() { # Python modules... and torch, on a machine with a GPU. They aren't imported, which would take ten seconds
    [ -z "${SMALL:-}" ] && nvidia-smi >/dev/null 2>&1 &&
        python3 -c 'import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, sys.argv[1:])))' torch "$@" 2>/dev/null ||
        { echo "needs a GPU and torch $*"; return 1; }
}

videos_to_features() { summary whole | grep . || { echo "failed: $(tail -1 "$work/whole.log" | cut -c1-90)"; return 1; }; }

# ---- frames ----
rate_of() { # decoder video: frames per second
    stop_after 60 "$tubelet" bench --case decode --repeat 3 --json --decoder "$1" --video "$2" 2>>"$work/nvdec.log" | tail -1 |
        sed -n 's/.*"frames_per_second":\([0-9.e+-]*\).*/\1/p'
}

decoding() { echo "$([ -n "$no_nvdec" ] || echo "NVDEC $(rate_of nvdec "$long") frames/s, ")software $(rate_of cpu "$long") frames/s"; }

torchvision() { has torchvision && or_why "$work/peer.log" at_most 60 python3 "$here/tools/gpu_frames_peer.py"; }

speed() { # command: a program that times kernels, and prints a line for each
    local code time=$(((limit - 5) * slack - SECONDS + began))
    at_most 100 "$bin/$1" $([ -z "${SMALL:-}" ] || echo 1) 2>"$work/speed.log" && return
    code=$?
    [ $code != 124 ] || [ $time -ge 100 ] || { echo "not finished: the time is used up"; return 1; }
    echo "exit code $code (124: 100 s weren't enough): $(tail -1 "$work/speed.log" | cut -c1-90)"
    return 2
}

# ---- forwards ----
seconds_of() { # bench options...: seconds of one forward, or nothing
    at_most 60 "$tubelet" bench --case forward --device cuda --json "$@" 2>"$work/bench.log" | tail -1 |
        sed -n 's/.*"seconds":\([0-9.e-]*\).*/\1/p'
}

forward() { # bench options...: of $clip
    local seconds
    seconds=$(seconds_of --model "$(model_of "$clip")" "$@")
    [ -n "$seconds" ] && echo "$seconds s" || { echo "failed: $(tail -1 "$work/bench.log" | cut -c1-90)"; return 1; }
}

an_item() { # size items goals: in float16
    local seconds
    seconds=$(seconds_of --model "$(model_of "$1")" --clips "$2" --batch "$2" --dtype f16)
    [ -n "$seconds" ] || { echo "failed: $(tail -1 "$work/bench.log" | cut -c1-90)"; return 1; }
    awk -v s="$seconds" -v n="$2" -v goals="$3" 'BEGIN { printf "tubelet %s s, %.3f ms an item; %s\n", s, 1000 * s / n, goals }'
}

torch() { # size items,.. mode
    has transformers || return
    at_most 180 python3 "$here/tools/gpu_peer.py" "$(model_of "$1")" "$2" "$3" 2>"$work/peer.log" ||
        { echo "failed, or had no time: $(tail -1 "$work/peer.log" | cut -c1-90)"; return 1; }
}

# ---- whole videos; the original's loop, before and after its guide ----
field() { sed -n "s/.*\"$1\":\([0-9.e+-]*\).*/\1/p" "$work/bench.json"; }

end_to_end() { # size videos goals options...: clips and seconds, also the seconds without opening the model
    at_most 100 "$tubelet" bench --case end-to-end --device cuda --dtype f16 --model "$(model_of "$1")" --video "$2" --json "${@:4}" 2>"$work/bench.log" |
        tail -1 >"$work/bench.json"
    awk -v s="$(field seconds)" -v start="$(field start_seconds)" -v n="$(field clips)" -v goals="$3" \
        'BEGIN { if (s > 0) printf "tubelet %d clips in %.3f s, %.3f s of them steady; %s\n", n, s, s - start, goals; else exit 1 }' ||
        { echo "failed: $(tail -1 "$work/bench.log" | cut -c1-90)"; return 1; }
}

original() { # size options...: the first windows only, one batch after the guide; all 226 take proportionally longer
    has transformers decord || return
    or_why "$work/peer.log" at_most 180 python3 "$here/bench/original.py" "$(model_of "$1")" "$work/one" "$work/original" \
        --device cuda --windows 96 "${@:2}"
}

# ---- many videos into a network, window by window: decoded by the processors, by NVDEC, or by both ----
feeding() { # decoder size
    [ "$1" = cpu ] || [ -z "$no_nvdec" ] || { echo "$no_nvdec"; return; }
    end_to_end "$2" "$work/many" "goal ≥ $([ "$1" = cpu ] && echo 1.3 || echo 1.2)× torchcodec" --stride 16 --decoder "$1" || return
    echo "  all its threads: opened for $(field init_seconds) s, decoded $(field decode_seconds), converted $(field convert_seconds), waited $(field decode_wait_seconds); the GPU computed $(field forward_seconds), waited $(field device_wait_seconds)"
}

torchcodec() { # size device
    local threads
    threads=$(nproc)
    has transformers torchvision torchcodec || return
    or_why "$work/peer.log" at_most 60 python3 "$here/tools/gpu_decode_peer.py" "$(model_of "$1")" "$work/many" --decode-on "$2" \
        --threads $((threads < 16 ? threads : 16))
}

# ---- the table: ours first, then the others; what was never measured comes first ----
mkdir -p "$work/one" "$work/many"
cp "$long" "$work/one"
for i in $(seq $([ -n "${SMALL:-}" ] && echo 2 || echo 16)); do ln -sf "$long" "$work/many/v$i.mp4"; done

figure "decoding, $(basename "$long")" decoding
figure "NV12 to patches" speed gpu_frames_speed
figure "  the same, PyTorch" torchvision
figure "product with the step behind it" speed gpu_joined_speed
batch=$([ -n "${SMALL:-}" ] && echo 4 || echo 32)
for dtype in f32 tf32 bf16 f16 fp8; do figure "forward, $clip x $batch, $dtype" forward --clips $batch --dtype $dtype; done
for without in no-graph no-autotune no-cudnn blocking-copies; do figure "  f16 --$without" forward --clips $batch --dtype f16 --$without; done
figure "  f16, one clip" forward --clips 1 --batch 1 --dtype f16
figure "videos to features" videos_to_features

if [ -n "${SMALL:-}" ]; then
    figure "forward, videomae:tiny x 2" an_item videomae:tiny 2 "no goal"
    figure "whole video, videomae:tiny" end_to_end videomae:tiny "$work/one" "no goal" --stride 4 --transform opentad
    for decoder in cpu nvdec both; do figure "videos, stride 16, decoder $decoder" feeding $decoder videomae:tiny; done
    figure "forward, videomae:tiny, PyTorch" torch videomae:tiny 2 max-autotune
    figure "first 96 clips, videomae:tiny, the original" original videomae:tiny
    figure "videos, stride 16, torchcodec on cpu" torchcodec videomae:tiny cpu
    return 0
fi
ms() { figure "forward, $1 x $2" an_item "$@"; }
for items in 16 64; do ms onevision:large $items "goals ≥ 1.6× eager, ≥ 1.15×, ≤ 7.2 ms"; done
ms videomae:base 32 "goals ≥ 1.5× eager, ≥ 1.15×, ≤ 0.62 ms"
for items in 1 2 4; do ms videomae:base $items "goals ≥ 2.2× eager, ≥ 1.15×"; done
ms videomae:large 16 "goals ≥ 1.5× eager, ≥ 1.15×, ≤ 1.9 ms"
ms dinov3:large 64 "goals ≥ 1.7× eager, ≥ 1.15×, ≤ 0.19 ms"
figure "whole video, onevision:large" end_to_end onevision:large "$work/one" "goals ≥ 22× before, ≥ 3.3× after, ≤ 1.9 s steady" --stride 4 --transform opentad
figure "whole video, dinov3:large" end_to_end dinov3:large "$work/one" "goal ≥ 9× after" --stride 4 --transform opentad
for decoder in cpu nvdec both; do figure "videos, stride 16, decoder $decoder" feeding $decoder videomae:base; done
their() { figure "forward, $1, PyTorch, $3" torch "$@"; }
figure "first 96 clips, onevision:large, the original" original onevision:large
figure "first 96 clips, onevision:large, the original --after" original onevision:large --after
figure "first 96 clips, dinov3:large, the original --after" original dinov3:large --after
figure "videos, stride 16, torchcodec on cuda" torchcodec videomae:base cuda
figure "videos, stride 16, torchcodec on cpu" torchcodec videomae:base cpu
their videomae:base 1,2,4 reduce-overhead
their videomae:large 16 max-autotune
their dinov3:large 64 max-autotune
their onevision:large 16 max-autotune
their videomae:base 32 max-autotune
