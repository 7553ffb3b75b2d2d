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

test: tools
	cargo test --locked

bench: tools
	cargo bench --locked
