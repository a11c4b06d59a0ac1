//! The request that takes spans to a collector, of spans that are encoded already: `opentelemetry-otlp`
//! takes them only as the SDK makes them.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use bytes::Bytes;
use http::uri::PathAndQuery;
use opentelemetry_proto::{
    tonic::{
        collector::trace::v1::ExportTraceServiceResponse, common::v1::InstrumentationScope,
        resource::v1::Resource,
    },
    transform::common::tonic::ResourceAttributesWithSchema,
};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

use super::messages::Messages;

/// OTLP's method for spans.
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
/// How often spans are sent again that were not taken, as `opentelemetry-otlp` does with log records.
const RETRIES: usize = 3;
/// The pause before that; each one is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Sends spans.
#[derive(Debug)]
pub(super) struct SpanExporter {
    channel: Channel,
    headers: MetadataMap,
    resource: Resource,
    scope: InstrumentationScope,
}

/// An `ExportTraceServiceRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct ExportRequest {
    #[prost(message, required, tag = "1")]
    resource_spans: ResourceSpans,
}

/// OTLP's message of the same name.
#[derive(Clone, PartialEq, prost::Message)]
struct ResourceSpans {
    #[prost(message, required, tag = "1")]
    resource: Resource,
    #[prost(message, required, tag = "2")]
    scope_spans: ScopeSpans,
}

/// OTLP's message of the same name; an embedded message is bytes on the wire.
#[derive(Clone, PartialEq, prost::Message)]
struct ScopeSpans {
    #[prost(message, required, tag = "1")]
    scope: InstrumentationScope,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    spans: Vec<Bytes>,
}

impl SpanExporter {
    /// Connects when there is something to send.
    pub(super) fn new(
        endpoint: Endpoint,
        headers: MetadataMap,
        resource: &opentelemetry_sdk::Resource,
        scope: &str,
    ) -> Self {
        let attributes = ResourceAttributesWithSchema::from(resource).attributes.0;
        let resource = Resource { attributes, ..Resource::default() };
        let scope = InstrumentationScope { name: scope.to_owned(), ..Default::default() };
        Self { channel: endpoint.connect_lazy(), headers, resource, scope }
    }

    /// Sends spans, each an OTLP `Span`; again and again, as long as OTLP allows it and for most of a
    /// second, if the collector does not take them.
    pub(super) async fn send(&self, spans: Messages) -> Result<(), Status> {
        let spans = spans.each();
        let pauses = ExponentialBuilder::new().with_min_delay(FIRST_PAUSE).with_max_times(RETRIES);
        (|| self.try_to_send(spans.clone())).retry(pauses).when(may_be_sent_again).await
    }

    async fn try_to_send(&self, spans: Vec<Bytes>) -> Result<(), Status> {
        let scope_spans = ScopeSpans { scope: self.scope.clone(), spans };
        let resource_spans = ResourceSpans { resource: self.resource.clone(), scope_spans };
        let mut request = Request::new(ExportRequest { resource_spans });
        *request.metadata_mut() = self.headers.clone();
        let mut grpc = Grpc::new(self.channel.clone());
        let not_there = |error| Status::new(Code::Unavailable, format!("{error}"));
        grpc.ready().await.map_err(not_there)?;
        let codec = ProstCodec::<_, ExportTraceServiceResponse>::default();
        // What it says beside having taken them is not for us to mend.
        grpc.unary(request, PathAndQuery::from_static(EXPORT), codec).await.map(drop)
    }
}

/// What OTLP says of it; of RESOURCE_EXHAUSTED only if the collector says when, which ours do not.
fn may_be_sent_again(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss
    )
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use opentelemetry_proto::tonic::{
        collector::trace::v1::{
            ExportTraceServiceRequest,
            trace_service_server::{TraceService, TraceServiceServer},
        },
        trace::v1::Span,
    };
    use opentelemetry_sdk::Resource as SdkResource;
    use prost::Message as _;
    use tokio::sync::mpsc;
    use tonic::{Response, transport::server::TcpIncoming};

    use super::*;

    /// A collector that says these first, and hands on what it takes with the key that it was shown.
    struct Collector {
        refusals: Vec<Code>,
        asked: Arc<AtomicUsize>,
        takes: mpsc::UnboundedSender<(ExportTraceServiceRequest, Option<String>)>,
    }

    #[tonic::async_trait]
    impl TraceService for Collector {
        async fn export(
            &self,
            request: Request<ExportTraceServiceRequest>,
        ) -> Result<Response<ExportTraceServiceResponse>, Status> {
            if let Some(code) = self.refusals.get(self.asked.fetch_add(1, Ordering::Relaxed)) {
                return Err(Status::new(*code, "not now"));
            }
            let key = request.metadata().get("api-key").and_then(|key| key.to_str().ok());
            let key = key.map(str::to_owned);
            self.takes.send((request.into_inner(), key)).expect("somebody listens");
            Ok(Response::new(ExportTraceServiceResponse::default()))
        }
    }

    fn span(name: &str) -> Span {
        Span { name: name.to_owned(), ..Span::default() }
    }

    /// What becomes of two spans that are sent to a collector that says these first, and how often it
    /// is asked.
    async fn sent(
        refusals: &[Code],
    ) -> (Result<(), Code>, usize, Option<(ExportTraceServiceRequest, Option<String>)>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let (takes, mut taken) = mpsc::unbounded_channel();
        let collector = Collector { refusals: refusals.into(), asked: Arc::clone(&asked), takes };
        let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let endpoint = format!("http://{}", incoming.local_addr().unwrap());
        let mut server = tonic::transport::Server::builder();
        let server = server.add_service(TraceServiceServer::new(collector));
        tokio::spawn(server.serve_with_incoming(incoming));

        let mut headers = MetadataMap::new();
        headers.insert("api-key", "s3cret".parse().unwrap());
        let resource = SdkResource::builder_empty().with_service_name("order-api").build();
        let endpoint = Endpoint::from_shared(endpoint).unwrap();
        let exporter = SpanExporter::new(endpoint, headers, &resource, "scope");
        let mut spans = Messages::default();
        for name in ["first", "second"] {
            spans.add(&span(name).encode_to_vec());
        }
        let outcome = exporter.send(spans).await.map_err(|status| status.code());
        (outcome, asked.load(Ordering::Relaxed), taken.try_recv().ok())
    }

    #[tokio::test]
    async fn a_collector_gets_what_otlp_says_and_the_headers() {
        let (outcome, asked, taken) = sent(&[]).await;
        assert_eq!((outcome, asked), (Ok(()), 1));
        let (request, key) = taken.expect("it was taken");
        assert_eq!(key.as_deref(), Some("s3cret"));
        let [group] = &request.resource_spans[..] else { panic!("{request:?}") };
        let resource = group.resource.as_ref().expect("who sends");
        assert_eq!(resource.attributes[0].key, "service.name");
        let [of_scope] = &group.scope_spans[..] else { panic!("{group:?}") };
        assert_eq!(of_scope.scope.as_ref().map(|scope| &*scope.name), Some("scope"));
        assert_eq!(of_scope.spans, [span("first"), span("second")]);
    }

    #[tokio::test]
    async fn spans_are_sent_again_while_that_may_help() {
        let (outcome, asked, taken) = sent(&[Code::Unavailable, Code::Aborted]).await;
        assert_eq!((outcome, asked), (Ok(()), 3));
        assert_eq!(taken.expect("in the end").0.resource_spans[0].scope_spans[0].spans.len(), 2);
        assert_eq!(sent(&[Code::Unavailable; 9]).await.1, 1 + RETRIES);
        let refused = sent(&[Code::Unauthenticated]).await;
        assert_eq!((refused.0, refused.1), (Err(Code::Unauthenticated), 1));
    }
}
