# tribune in a container: built on Debian 12, run on Debian 12 without a compiler, as a user without rights.
#
#   docker build -t tribune .
#   docker run -p 8080:8080 -p 8081:8081 -p 8082:8082/udp -p 8082:8082 -v tribune-data:/var/lib/tribune tribune
#
# docs/operating.md says which options belong to which deployment.

# The pages: TypeScript becomes the few files the binary carries.
FROM node:20-bookworm-slim AS web
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web/ ./
COPY docs/operating.md ../docs/
RUN npm run build

FROM rust:1.95-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends cmake \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
COPY --from=web /src/web/dist web/dist
RUN cargo build --release --locked --package tribune

FROM debian:12-slim
# ca-certificates: what --acme and webhooks trust. curl: the health check.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/tribune --shell /usr/sbin/nologin tribune \
 && install -d -o tribune -g tribune -m 0700 /var/lib/tribune
COPY --from=build /src/target/release/tribune /usr/local/bin/tribune
COPY THIRD-PARTY.md LICENSE-MIT LICENSE-APACHE /usr/share/doc/tribune/
USER tribune
VOLUME /var/lib/tribune
# Inside a container the outside is everything that is published, so the audience and the stage listen on all addresses here;
# health and metrics stay inside unless you say otherwise.
ENV TRIBUNE_LISTEN=[::]:8080 \
    TRIBUNE_STAGE=[::]:8081 \
    TRIBUNE_MEDIA=[::]:8082 \
    TRIBUNE_OPS=127.0.0.1:9090 \
    TRIBUNE_DATA=/var/lib/tribune
EXPOSE 8080 8081 8082/udp 8082
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:9090/healthz"]
ENTRYPOINT ["tribune"]
CMD ["serve"]
