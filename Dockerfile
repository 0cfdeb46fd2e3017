FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY packages ./packages
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:24-bookworm-slim
ENV NODE_ENV=production APP_ENV=prod PORT=3333
WORKDIR /app
# The links in node_modules/@latchkey lead to packages/, where the built packages stand instead.
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist/contract ./packages/contract
COPY --from=build /app/dist/verifier ./packages/verifier
COPY --from=build /app/dist/latchkey/package.json ./
COPY --from=build /app/dist/latchkey/migrations ./migrations
COPY --from=build /app/dist/latchkey/templates ./templates
COPY --from=build /app/dist/latchkey/lib ./lib
# What must outlive the container and the database: mount a volume here.
RUN mkdir /var/lib/latchkey && chown node:node /var/lib/latchkey
ENV ERASURE_LOG=/var/lib/latchkey/erasures.log
USER node
EXPOSE 3333
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "lib/cli/latchkey.js"]
CMD ["serve"]
