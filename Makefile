# `make` alone lists the targets. Everything downloaded or built stays inside the clone, in folders
# that git ignores.

PYTHON ?= python3
CARGO ?= cargo
PREFIX ?= $(HOME)/.local
DESTDIR ?=
# The backend: libtorch, or flex, in pure Rust, which needs no libtorch.
BACKEND ?= libtorch
# Further flags for cargo.
CARGOFLAGS ?=
# Which tests of the program, for example TESTS=program::train; all tests without it.
TESTS ?=

BUILT := $(or $(CARGO_TARGET_DIR),target)/release
LIBTORCH_STEP := $(if $(findstring libtorch,$(BACKEND)),libtorch)
# The program has one backend. flex is a default feature, so all else has it too: tests compare both.
ONE := --no-default-features --features $(BACKEND) $(CARGOFLAGS)
ALL := --features $(BACKEND) $(CARGOFLAGS)
# Tests share the release build of the dependencies, which takes most of the time, but our own code
# is built with debug assertions and overflow checks.
OURS := vggscope feature-grid tensorboard-events
CHECKED := $(foreach crate,$(OURS),--config profile.release.package.$(crate).debug-assertions=true \
             --config profile.release.package.$(crate).overflow-checks=true)
TEST_PYTHON := .venv-test/bin/python
EXAMPLES := $(basename $(notdir $(wildcard examples/*.rs)))
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := .tools/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny
CARGO_AUDITABLE_VERSION := 0.7.7
CARGO_AUDITABLE := .tools/cargo-auditable-$(CARGO_AUDITABLE_VERSION)/bin/cargo-auditable
CARGO_FUZZ_VERSION := 0.13.2
CARGO_FUZZ := .tools/cargo-fuzz-$(CARGO_FUZZ_VERSION)/bin/cargo-fuzz
# What each fuzz target begins with, besides what it found before (fuzz/corpus).
SEEDS_events := tests/fixtures/read_back
SEEDS_weights := tests/fixtures/weights fuzz/seeds/weights
SEEDS_network := fuzz/seeds/network
SEEDS_images := tests/fixtures/input
SEEDS_config := configs
SEEDS_state := fuzz/seeds/state
SECONDS := 300

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\n  LIBTORCH_FLAVOR=cpu|cuda, LIBTORCH=DIR, PREFIX=DIR, BACKEND=flex: see README.md\n'

.PHONY: demo
demo: build ## libtorch, build, then VGG16's first blocks over photos/, a training and a sweep of its checkpoints: runs/demo*
	@rm -rf runs/demo runs/demo-training runs/demo-checkpoints
	$(BUILT)/vggscope images photos --weights photos/vgg16_to_pool2.safetensors --run demo
	$(BUILT)/vggscope train --config configs/train.toml --run demo-training
	$(BUILT)/vggscope checkpoints runs/demo-training/checkpoints --images photos/chelsea.png --config configs/demo.toml --run demo-checkpoints

.PHONY: build
build: $(LIBTORCH_STEP) ## target/release/vggscope
	$(CARGO) build --release $(ONE)

.PHONY: libtorch
libtorch: need-python ## download libtorch 2.9.0 into .libtorch/, unless LIBTORCH is set
	@$(PYTHON) scripts/libtorch.py

.PHONY: test
test: $(LIBTORCH_STEP) .venv-test/ready ## the whole test suite, real TensorBoard included; builds the examples
	VGGSCOPE_TEST_PYTHON="$(CURDIR)/$(TEST_PYTHON)" $(CARGO) test --release $(CHECKED) $(ALL) $(if $(TESTS),--test all -- $(TESTS),--workspace)

.PHONY: torture
torture: ## faults at every call of a run that writes, where `make test` tries some (an hour)
	VGGSCOPE_TORTURE=all $(MAKE) test TESTS="program::torture"

.PHONY: reference
reference: $(LIBTORCH_STEP) ## write docs/reference.md again, from what the program takes
	VGGSCOPE_WRITE_REFERENCE=1 $(CARGO) test --release $(CHECKED) $(ALL) --lib the_reference

.PHONY: messages
messages: $(LIBTORCH_STEP) ## write tests/all/messages/ again, from what the program says
	INSTA_UPDATE=always $(CARGO) test --release $(CHECKED) $(ALL) --test all -- program::messages
	@rm -f tests/all/messages/errors.txt
	VGGSCOPE_WRITE_ERRORS=1 $(CARGO) test --release $(CHECKED) $(ALL) --test all -- program:: --skip messages:: --skip torture::

.PHONY: examples
examples: ## run every program in examples/: runs/example-*
	for example in $(EXAMPLES); do $(CARGO) run --release --features train --example $$example || exit 1; done

.PHONY: lint
lint: fmt clippy doc deny ## formatting, clippy, docs and dependencies, warnings denied

.PHONY: fmt clippy doc deny advisories
fmt:
	$(CARGO) fmt --all --check
clippy: $(LIBTORCH_STEP)
	$(CARGO) clippy --workspace --release --all-targets $(ALL) -- -D warnings
doc: $(LIBTORCH_STEP)
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --release --no-deps $(ALL)
deny: $(CARGO_DENY)
	$(CARGO_DENY) check bans licenses sources
# Apart from `deny`, because its database cannot be downloaded everywhere.
advisories: $(CARGO_DENY)
	$(CARGO_DENY) check advisories

# All numbers go to benches/runs/, and are compared with the last record of this machine.
MEASURED := $(BUILT)/measured
.PHONY: bench
bench: build need-python ## the benchmarks, against the last record in benches/runs/; with BENCH_PYTHON=/path/to/python (with torch), PyTorch too
	@rm -rf "$(MEASURED)" "$(BUILT)/../criterion" && mkdir -p "$(MEASURED)"
	$(CARGO) bench -p feature-grid -p tensorboard-events --features bench --bench render --bench framing
	"$(PYTHON)" benches/sweep.py "$(BUILT)/vggscope" --json "$(MEASURED)/sweep.json"
	@if [ -n "$(BENCH_PYTHON)" ]; then \
	  "$(BENCH_PYTHON)" benches/compare/compare.py --vggscope "$(BUILT)/vggscope" --json "$(MEASURED)/compare.json"; else \
	  echo "For the comparison with PyTorch: make bench BENCH_PYTHON=/path/to/python (see benches/compare/compare.py)"; fi
	@"$(PYTHON)" benches/record.py "$(MEASURED)/sweep.json" "$(MEASURED)/compare.json" --criterion "$(BUILT)/../criterion"

# Rust's own memory is safe, so no sanitizer, which would need the nightly compiler. fuzz/src/lib.rs has the bounds of an
# input; the process may take more, and an input that is past 10 s is taken for endless.
.PHONY: fuzz
fuzz: $(CARGO_FUZZ) ## TARGET=events|png|weights|network|images|config|state SECONDS=300: fuzz a reader; crashes go to fuzz/artifacts
	@[ -f "fuzz/targets/$(TARGET).rs" ] || { \
	  echo "make fuzz TARGET=$$(cd fuzz/targets && ls | sed 's/\.rs//' | paste -sd '|') [SECONDS=$(SECONDS)]" >&2; exit 2; }
	mkdir -p fuzz/corpus/$(TARGET)
	PATH="$(CURDIR)/$(dir $(CARGO_FUZZ)):$$PATH" $(CARGO) fuzz run --sanitizer none $(TARGET) fuzz/corpus/$(TARGET) $(SEEDS_$(TARGET)) \
	  -- -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=2048 -max_len=65536; \
	  status=$$?; rm -rf /dev/shm/vggscope-fuzz-*; exit $$status

.PHONY: gpu-check
gpu-check: need-python ## on a machine with an NVIDIA GPU: build for CUDA, doctor, the tests on it, benchmarks: benches/runs/
	@"$(PYTHON)" benches/gpu_check.py --missing
	LIBTORCH_FLAVOR=cuda $(MAKE) build .venv-test/ready
	"$(PYTHON)" benches/gpu_check.py

.PHONY: install uninstall
install: $(LIBTORCH_STEP) need-python ## install PREFIX/bin/vggscope (default ~/.local), independent of this clone
	@$(PYTHON) scripts/install.py install --prefix "$(PREFIX)" --destdir "$(DESTDIR)" --cargo "$(CARGO)" --cargoflags="$(ONE)"
uninstall: need-python ## remove what `make install` installed
	@$(PYTHON) scripts/install.py uninstall --prefix "$(PREFIX)" --destdir "$(DESTDIR)"

.PHONY: wheel wheel-test
wheel: $(LIBTORCH_STEP) .venv-wheel/ready ## dist/vggscope-*.whl for pip; with BACKEND=flex vggscope_flex, without torch
	@.venv-wheel/bin/python scripts/wheel.py --cargo "$(CARGO)" --cargoflags="$(ONE)"
wheel-test: ## PYTHON=/path/to/python: test the wheel that is installed there; without torch no export
	"$(PYTHON)" -m unittest discover -v -s python/tests

.PHONY: publish-check
publish-check: ## pack the three crates as crates.io gets them, and build them from there; VERIFY=--no-verify packs only
	$(CARGO) publish --workspace --dry-run $(VERIFY)

# The program holds the list of what it is built from, for cargo audit and scanners of images.
.PHONY: release
release: need-python $(CARGO_AUDITABLE) ## check versions and changelog, build, package; says what is left for a person
	@"$(PYTHON)" scripts/release.py --tools "$(CURDIR)/$(dir $(CARGO_AUDITABLE))"

.PHONY: clean distclean
clean: ## remove what was built
	$(CARGO) clean
distclean: clean ## also remove what was downloaded; runs/ stays
	rm -rf .libtorch .venv-test .venv-wheel .tools dist

.PHONY: need-python
need-python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || { \
	  echo "$(PYTHON) is missing or older than 3.9. Install Python with pip, or set PYTHON=/path/to/python3" >&2; exit 1; }

# Filled by the pip of $(PYTHON), since a venv with its own pip needs the package python3-venv on Debian.
.venv-%/ready: scripts/%-requirements.txt | need-python
	@rm -rf .venv-$*
	$(PYTHON) -m venv --without-pip .venv-$*
	@PIP_ROOT_USER_ACTION=ignore $(PYTHON) -m pip install --quiet --disable-pip-version-check -r $< \
	  --target "$$(.venv-$*/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
	  || { echo "make $* needs the packages of $<: see pip's message above" >&2; exit 1; }
	@touch $@

# Unoptimized: a third of the build time, and a check still takes seconds.
$(CARGO_DENY):
	CARGO_PROFILE_DEV_DEBUG=false $(CARGO) install --debug --locked --quiet --root .tools/cargo-deny-$(CARGO_DENY_VERSION) cargo-deny@$(CARGO_DENY_VERSION)

$(CARGO_AUDITABLE):
	CARGO_PROFILE_DEV_DEBUG=false $(CARGO) install --debug --locked --quiet --root .tools/cargo-auditable-$(CARGO_AUDITABLE_VERSION) cargo-auditable@$(CARGO_AUDITABLE_VERSION)

$(CARGO_FUZZ):
	CARGO_PROFILE_DEV_DEBUG=false $(CARGO) install --debug --locked --quiet --root .tools/cargo-fuzz-$(CARGO_FUZZ_VERSION) cargo-fuzz@$(CARGO_FUZZ_VERSION)
