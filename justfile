# Each recipe is a plain command; `just` is only a shorter way to type it.

# Everything that must hold before a change goes in.
test:
    ./test

# Only the lints.
lint:
    cargo clippy --all-targets --locked -- -D warnings

# Only the case files: `just cases tests/cases/conformance/wildcards.yaml`.
cases *FILES='tests/cases/*/*.yaml':
    cargo run --locked --quiet -- test {{FILES}}

# Everything in one process on loopback, with tokens to try.
demo:
    cargo run --locked --release -- demo

# The binary that ships: target/release/doorward; it must stay under 30 MB.
build:
    cargo build --locked --release
    test "$(stat -c %s "${CARGO_TARGET_DIR:-target}/release/doorward")" -lt 30000000

# An hour under load with a new snapshot every 5 seconds: no error, no answer of two revisions, flat memory.
soak SECONDS='3600' RELOAD='5':
    DOORWARD_SOAK={{SECONDS}},{{RELOAD}} cargo test --locked --profile bench --test operations soak -- --nocapture

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
