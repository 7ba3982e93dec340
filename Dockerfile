# Colony in a container: one image with all five programs.
#
#     docker build -t colony .
#     docker run --rm colony clusterctl --help
#
# Which program a container runs, its command says; see cluster/compose.yaml.

FROM swift:6.3-bookworm AS build

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libedit-dev libnghttp2-dev libpcre2-dev libssl-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /build

# Dependencies change rarely: a layer of their own spares fetching them whenever a source changes.
COPY Package.swift ./
RUN swift package resolve

COPY Sources Sources
COPY Tests Tests
RUN set -e; \
    for product in coordinator worker gateway clusterctl clusterbench; do \
        swift build -c release --static-swift-stdlib --product "$product"; \
    done; \
    mkdir /programs; \
    for product in coordinator worker gateway clusterctl clusterbench; do \
        install --strip --target-directory=/programs "$(swift build -c release --show-bin-path)/$product"; \
    done

FROM debian:12-slim

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates curl libedit2 libnghttp2-14 libpcre2-8-0 libssl3 libstdc++6 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --home-dir /var/lib/colony --shell /usr/sbin/nologin colony

COPY --from=build /programs/ /usr/local/bin/
COPY cluster/cluster.yaml /usr/share/colony/cluster.yaml

USER 10001
WORKDIR /var/lib/colony

# The gateway's port for HTTP, the coordinator's and the workers' for the cluster.
EXPOSE 8080 7400 7401

# Only the gateway speaks HTTP. The others end when they cannot serve, so for them a running process is a healthy one;
# whether the cluster can generate, the gateway says.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
    CMD ["sh", "-c", "[ \"$(cat /proc/1/comm)\" != gateway ] || curl --fail --silent --max-time 2 http://127.0.0.1:8080/live"]

CMD ["clusterctl", "--help"]
