# The build is self-contained: the second stage holds dist/ and nothing else of this repository.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
# Packages first: this layer changes with the lock file only. Another registry, or an authority to trust:
# docker build --secret id=npmrc,src=$HOME/.npmrc .
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm --mount=type=secret,id=npmrc,target=/root/.npmrc \
    npm ci --omit=dev --ignore-scripts
COPY . .
RUN npm run build && chown -R node dist/server
# V8's compile cache holds for the user and the path that made it, and a read-only file system takes none: made here.
USER node
RUN node --min-semi-space-size=4 scripts/warm-up.mjs && chmod -R a+rX dist/server/.compile-cache

FROM ${NODE_IMAGE}
ARG NODE_IMAGE
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${REVISION} \
      org.opencontainers.image.base.name=${NODE_IMAGE}
# By itself V8 takes at least 259 MB for its heap, also where the container has less, and is killed without a word. A share
# of the container's limit leaves the rest to buffers, the client's files and Node itself.
ENV NODE_ENV=production NODE_OPTIONS=--max-old-space-size-percentage=50 DIAGNOSTICS_DIR=/diagnostics
# The one folder that the server writes: reports of the heap. Mount a volume there; a new one takes its owner from here.
RUN install -d -o node -g node -m 700 /diagnostics
WORKDIR /app
# Owned by root: the server can read itself, and change nothing of it.
COPY --from=build --chown=root:root /app/dist ./dist
USER node
EXPOSE 5000
STOPSIGNAL SIGTERM
# Alive, not ready: a database that is away is no reason to restart the process.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["node", "dist/server/healthcheck.js"]
# Without a shell, so that node is process 1 and gets the signals. `docker run <image> migrate` applies migrations and ends.
# The option spares an idle server that gets busy most of its full collections (scripts/launcher/server.mjs).
ENTRYPOINT ["node", "--min-semi-space-size=4", "dist/server/main.js"]
