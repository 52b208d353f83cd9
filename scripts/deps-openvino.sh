#!/bin/sh
# deps-openvino.sh [FOLDER]: installs OpenVINO, for .onnx and .xml models, into FOLDER (build/openvino, where the
# command built in build/ finds it by itself). It takes the wheel from PyPI without the dependencies of its Python
# parts. Any pip does; without one, pip comes from a temporary virtual environment.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-build/openvino}
version=${OPENVINO_VERSION:-2026.4.1}

library() {
    find "$folder" -name 'libopenvino_c.so*' 2>/dev/null | head -n 1
}

if [ -z "$(library)" ]; then
    python=${PYTHON:-python3}
    scratch=""
    if ! "$python" -m pip --version >/dev/null 2>&1; then
        scratch=$(mktemp -d)
        trap 'rm -rf "$scratch"' EXIT
        if ! "$python" -m venv "$scratch" >/dev/null 2>&1; then
            echo "deps-openvino: $python has neither pip nor venv: apt-get install python3-pip" >&2
            exit 1
        fi
        python=$scratch/bin/python
    fi
    mkdir -p "$folder"
    "$python" -m pip install --quiet --quiet --disable-pip-version-check --no-deps --only-binary :all: --upgrade \
        --target "$folder" "openvino==$version"
fi

found=$(library)
if [ -z "$found" ]; then
    echo "deps-openvino: the wheel of $version has no libopenvino_c.so: those from 2024.3 on do" >&2
    exit 1
fi
echo "OpenVINO: $(cd "$(dirname "$found")" && pwd)"
echo "found by a tubelet beside $folder; by others with TUBELET_OPENVINO=$(cd "$folder" && pwd)"
