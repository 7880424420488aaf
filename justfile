# Each recipe is a plain command; `just` is only a shorter way to type it.

# Everything that must hold before a change goes in.
test:
    ./test

# Format the code.
format:
    cargo fmt

# Only the lints.
lint:
    cargo clippy --all-targets --locked -- -D warnings

# Only the case files: `just cases tests/cases/conformance/wildcards.yaml`.
cases *FILES='tests/cases/*/*.yaml':
    cargo run --locked --quiet -- test {{FILES}}

# Everything in one process on loopback, with tokens to try.
demo:
    cargo run --locked --release -- demo

# The binary that ships: target/release/doorward.
build:
    cargo build --locked --release

# The benches.
bench *ARGUMENTS:
    cargo bench --locked -- {{ARGUMENTS}}

# The fuzz targets, half an hour each: `just fuzz 600 json_filter`.
fuzz SECONDS='1800' *TARGETS:
    fuzz/run {{SECONDS}} {{TARGETS}}

# Licences, sources, bans, advisories; needs cargo-deny and the network.
deny:
    cargo deny --locked check

# The container image.
image TAG='doorward':
    docker build -t {{TAG}} .
