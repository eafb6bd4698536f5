# syntax=docker/dockerfile:1

# The daemon: `docker build .`, on x86-64 and on arm64. The local AWS, for work on a laptop:
# `docker build --target sandbox .`

# The bases. Their tags move with each fix of Debian's and Rust's; deploy/README.md says how to give
# them with the digest that you have looked at.
ARG BUILDER=rust:1.95-trixie
ARG RUNTIME=gcr.io/distroless/cc-debian13:nonroot

# Dependencies alone, in a layer that stays as long as the manifests and Cargo.lock do. The runtime
# stages have this stage's Debian release, hence its glibc.
FROM ${BUILDER} AS dependencies
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
# The workspace has a second member, the local AWS. Cargo reads its manifest and does not build it.
COPY tests/sandbox/Cargo.toml tests/sandbox/
# Programs and libraries of nothing, so that there is something to build the dependencies for.
RUN mkdir src tests/sandbox/src \
    && echo 'fn main() {}' >src/main.rs \
    && cp src/main.rs tests/sandbox/src/ \
    && touch src/lib.rs tests/sandbox/src/lib.rs \
    && cargo build --release --locked --package organizer-notifier \
    && rm -r src target/release/organizer-notifier* target/release/deps/*organizer_notifier* \
       target/release/.fingerprint/organizer-notifier-*

FROM dependencies AS build
COPY config config
COPY src src
# The commit that `--version` tells.
ARG COMMIT=
# Names of functions and line tables go to a file of their own, which debuggers match by the build
# id. The log names a panic's place without them.
RUN ORGANIZER_NOTIFIER_COMMIT="$COMMIT" cargo build --release --locked --package organizer-notifier \
    && objcopy --only-keep-debug target/release/organizer-notifier /organizer-notifier.debug \
    && strip --strip-all -o /organizer-notifier target/release/organizer-notifier \
    && printf '# Mount a configuration file here, or set variables.\n' >/config.toml \
    && chmod 444 /config.toml

# The names and the line tables: `docker build --target symbols --output . .`, with the image's COMMIT.
FROM scratch AS symbols
COPY --from=build /organizer-notifier.debug /

# The local AWS uses nothing of the daemon, and needs no optimisation.
FROM dependencies AS sandbox-build
COPY tests/sandbox tests/sandbox
RUN cargo build --locked --package sandbox \
    && strip --strip-all -o /sandbox target/debug/sandbox

FROM ${RUNTIME} AS sandbox
COPY --from=sandbox-build /sandbox /usr/local/bin/sandbox
USER 65532:65532
EXPOSE 4566
ENTRYPOINT ["/usr/local/bin/sandbox"]
CMD ["--listen", "0.0.0.0:4566"]

FROM ${RUNTIME} AS daemon
ARG COMMIT=
LABEL org.opencontainers.image.title="organizer-notifier" \
      org.opencontainers.image.description="Mails the organizer of every event that the Calendar Invite Server has created" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="1.0.0" \
      org.opencontainers.image.revision="$COMMIT"
COPY --from=build /organizer-notifier /usr/local/bin/organizer-notifier
# Empty, to be mounted over: `docker run -v ./config.toml:/etc/organizer-notifier/config.toml:ro`.
# Without `--chmod`: BuildKit would give the folder that mode too, and without `x` it hides the file.
COPY --from=build /config.toml /etc/organizer-notifier/config.toml
ENV NOTIFIER_CONFIG=/etc/organizer-notifier/config.toml
USER 65532:65532
STOPSIGNAL SIGTERM
# For plain docker; ECS and Kubernetes have their own.
HEALTHCHECK --start-period=60s --interval=15s --timeout=5s --retries=3 \
    CMD ["/usr/local/bin/organizer-notifier", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/organizer-notifier"]
