# syntax=docker/dockerfile:1
FROM rust:1.95-bookworm AS build
WORKDIR /build
# What .dockerignore admits. Not rust-toolchain.toml: the image is the toolchain.
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin doorward && cp target/release/doorward /doorward

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/doorward --create-home --shell /usr/sbin/nologin doorward
COPY --from=build /doorward /usr/local/bin/doorward
COPY config/doorward.toml /etc/doorward/doorward.toml
COPY config/api /etc/doorward/config/api
# Paths in the configuration are relative to here. Nothing is written but under /var/lib/doorward,
# and there only when `snapshot.cache` says so: the rest of the file system may be read-only.
WORKDIR /etc/doorward
# Inside a container loopback reaches nobody. The admin listener stays on it.
ENV DOORWARD_PROXY__LISTEN=0.0.0.0:8080
USER 10001:10001
VOLUME /var/lib/doorward
EXPOSE 8080
# Asks the admin listener inside the container; give --address if it listens elsewhere.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["doorward", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["doorward"]
CMD ["serve", "--config", "/etc/doorward/doorward.toml"]
