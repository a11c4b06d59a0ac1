//! OTLP as far as a request must be read to be kept, generated from `proto`.

/// `proto/traces.proto`.
pub(crate) mod traces {
    #![expect(unreachable_pub, clippy::allow_attributes, reason = "generated code")]
    tonic::include_proto!("opentelemetry.proto.collector.trace.v1");
}

/// `proto/logs.proto`.
pub(crate) mod logs {
    #![expect(unreachable_pub, clippy::allow_attributes, reason = "generated code")]
    tonic::include_proto!("opentelemetry.proto.collector.logs.v1");
}
