# `make demo` and `make test` do everything on a fresh Debian 12 machine with Rust, as root.

HOST := $(shell rustc -vV | sed -n 's/^host: //p')
UPSHIFT := target/$(HOST)/release/upshift

.PHONY: demo test bench fuzz build

build: tools
	cargo build --release --locked

# What building needs besides Rust: OpenSSL and libgit2 are built from source, into the one binary.
.PHONY: tools
tools:
	@for tool in cc make perl git; do command -v $$tool >/dev/null || missing=1; done; \
	if [ -n "$$missing" ]; then apt-get update -qq && apt-get install -y -qq --no-install-recommends build-essential perl git; fi

demo: build
	UPSHIFT=$(abspath $(UPSHIFT)) demo/run

# A cloud of real hosts to try upshift on, and a shell beside it.
.PHONY: cloud
cloud: build
	UPSHIFT=$(abspath $(UPSHIFT)) demo/shell

# First what needs neither Salt nor hosts; then Salt, which takes a core for itself, and Salt on hosts, which takes both;
# then hosts, whose tests mostly wait.
test: tools
	tests/lab/lab tools
	tests/lab/lab build
	cargo test --locked -- --skip lab:: --skip conformance:: --skip beside_salt::
	cargo test --locked --test it conformance::
	cargo test --locked --test it beside_salt::
	cargo test --locked --test it lab:: -- --test-threads 6

bench: tools
	cargo bench --locked

# Ten minutes for each parser; needs `cargo install cargo-fuzz`.
fuzz:
	for target in pipeline inventory plan journal sls; do \
	  seeds=tests/fixtures/config; [ $$target = journal ] && seeds=fuzz/seeds/journal; \
	  dict=upshift; [ $$target = sls ] && dict=sls && \
	    seeds="$$(find tests/conformance/cases -type d -links 2 | tr '\n' ' ')"; \
	  mkdir -p fuzz/corpus/$$target && cargo fuzz run --sanitizer none $$target fuzz/corpus/$$target $$seeds -- \
	    -dict=fuzz/$$dict.dict -max_len=16384 -timeout=5 -rss_limit_mb=2048 -max_total_time=600 || exit 1; \
	done
