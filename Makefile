# A thin front over CMake. `make`, `make demo` and `make test` are all that a fresh Debian system needs.
BUILD = build
PREFIX = /usr/local
CONFIGURE = cmake -S . -G Ninja
PIPELINE_TESTS = $(basename $(notdir $(wildcard tests/pipeline/test_*.c)))
JOBS = $(shell nproc)

.PHONY: all dependencies deps-openvino everything demo test check-sanitizers check-asan check-tsan docs-models docs-presets install format clean

all: $(BUILD)/build.ninja
	cmake --build $(BUILD) --target tubelet_runnable

dependencies:
	@scripts/install-dependencies.sh

# OpenVINO from PyPI, which runs .onnx and .xml models.
deps-openvino:
	@scripts/deps-openvino.sh $(BUILD)/openvino

$(BUILD)/build.ninja: CMakeLists.txt | dependencies
	$(CONFIGURE) -B $(BUILD) -DCMAKE_BUILD_TYPE=Release

everything: $(BUILD)/build.ninja
	cmake --build $(BUILD)

demo: all
	scripts/demo.sh

test: everything
	ctest --test-dir $(BUILD) --output-on-failure --parallel $(JOBS)

# The whole suite with AddressSanitizer and UndefinedBehaviorSanitizer; the pipeline's threads with ThreadSanitizer.
check-sanitizers: check-asan check-tsan

check-asan: dependencies
	$(CONFIGURE) --preset asan
	cmake --build build-asan
	ctest --test-dir build-asan --output-on-failure --parallel $(JOBS)

check-tsan: dependencies
	$(CONFIGURE) --preset tsan
	cmake --build build-tsan --target $(PIPELINE_TESTS)
	ctest --test-dir build-tsan --output-on-failure --parallel $(JOBS) --label-regex '^pipeline$$'

# Writes docs/models.md anew, after a family or a size has changed.
docs-models: all
	$(BUILD)/tubelet models --markdown >docs/models.md

# Writes docs/presets.md anew, after a preset has changed.
docs-presets: all
	$(BUILD)/tubelet presets --markdown >docs/presets.md

# The cards that an installed plug-in has machine code for. `make` alone builds for a few, which is quicker.
CUDA_ARCHITECTURES = all

install: $(BUILD)/build.ninja
	$(CONFIGURE) -B $(BUILD) -DTUBELET_CUDA_ARCHITECTURES="$(CUDA_ARCHITECTURES)"
	cmake --build $(BUILD)
	cmake --install $(BUILD) --prefix $(PREFIX)

format:
	clang-format -i $$(find include src cli tests fuzz bench -name '*.[ch]')

clean:
	rm -rf $(BUILD) build-asan build-tsan demo
