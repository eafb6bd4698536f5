# syntax=docker/dockerfile:1

# The daemon: `docker build .`, on x86-64 and on arm64. The local AWS, for work on a laptop:
# `docker build --target sandbox .`

# Dependencies alone, in a layer that stays as long as Cargo.toml and Cargo.lock do. The runtime
# stages have this stage's Debian release, hence its glibc.
FROM rust:1.95-trixie AS dependencies
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
# A program and a library of nothing, so that there is something to build them for.
RUN mkdir src \
    && echo 'fn main() {}' >src/main.rs \
    && touch src/lib.rs \
    && cargo build --release --locked \
    && rm -r src target/release/organizer-notifier* target/release/deps/*organizer_notifier* \
       target/release/.fingerprint/organizer-notifier-*

FROM dependencies AS build
COPY config config
COPY src src
# The commit that `--version` tells.
ARG COMMIT=
# Names of functions and line tables go to a file of their own, which debuggers match by the build
# id. The log names a panic's place without them.
RUN ORGANIZER_NOTIFIER_COMMIT="$COMMIT" cargo build --release --locked \
    && objcopy --only-keep-debug target/release/organizer-notifier /organizer-notifier.debug \
    && strip --strip-all -o /organizer-notifier target/release/organizer-notifier \
    && printf '# Mount a configuration file here, or set variables.\n' >/config.toml \
    && chmod 444 /config.toml

# The names and the line tables: `docker build --target symbols --output . .`, with the image's COMMIT.
FROM scratch AS symbols
COPY --from=build /organizer-notifier.debug /

# The local AWS needs the dependencies of the tests, and no optimisation.
FROM dependencies AS sandbox-build
COPY config config
COPY src src
COPY tests tests
RUN cargo build --locked --example sandbox \
    && strip --strip-all -o /sandbox target/debug/examples/sandbox

FROM gcr.io/distroless/cc-debian13:nonroot AS sandbox
COPY --from=sandbox-build /sandbox /usr/local/bin/sandbox
USER 65532:65532
EXPOSE 4566
ENTRYPOINT ["/usr/local/bin/sandbox"]
CMD ["--listen", "0.0.0.0:4566"]

FROM gcr.io/distroless/cc-debian13:nonroot AS daemon
ARG COMMIT=
LABEL org.opencontainers.image.title="organizer-notifier" \
      org.opencontainers.image.description="Mails the organizer of every event that the Calendar Invite Server has created" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$COMMIT"
COPY --from=build /organizer-notifier /usr/local/bin/organizer-notifier
# Empty, to be mounted over: `docker run -v ./config.toml:/etc/organizer-notifier/config.toml:ro`.
# Without `--chmod`: BuildKit would give the folder that mode too, and without `x` it hides the file.
COPY --from=build /config.toml /etc/organizer-notifier/config.toml
ENV NOTIFIER_CONFIG=/etc/organizer-notifier/config.toml
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/organizer-notifier"]
