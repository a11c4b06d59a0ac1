# Every program of the lab, an image each: docker build --target web-gateway .
FROM rust:1.95-slim-trixie AS build
WORKDIR /src
COPY . .
ARG REVISION=unknown
# What was downloaded and compiled stays in caches of the builder, none of it in a layer.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    # Cargo goes by the age of files, and the cache of compiled code may come from another checkout.
    find crates proto prometheus docs -type f -exec touch {} + \
    && MISHAP_REVISION="$REVISION" cargo build --release --locked \
        --package web-gateway --package order-api --package fulfillment-worker --package lab \
    && mkdir /programs \
    && cd target/release \
    && cp web-gateway order-api fulfillment-worker lab /programs/

FROM gcr.io/distroless/cc-debian13:nonroot AS web-gateway
COPY --from=build /programs/web-gateway /
EXPOSE 3000 3100
ENTRYPOINT ["/web-gateway"]

FROM gcr.io/distroless/cc-debian13:nonroot AS order-api
COPY --from=build /programs/order-api /
EXPOSE 50051 8000
ENTRYPOINT ["/order-api"]

FROM gcr.io/distroless/cc-debian13:nonroot AS fulfillment-worker
COPY --from=build /programs/fulfillment-worker /
EXPOSE 2112
ENTRYPOINT ["/fulfillment-worker"]

FROM gcr.io/distroless/cc-debian13:nonroot AS lab
COPY --from=build /programs/lab /
EXPOSE 4000 4100 4317
ENTRYPOINT ["/lab"]
CMD ["desk"]
