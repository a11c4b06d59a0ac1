//! Spans and log records over real gRPC.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::{
    logs::v1::{ExportLogsServiceRequest, logs_service_client::LogsServiceClient},
    trace::v1::{ExportTraceServiceRequest, trace_service_client::TraceServiceClient},
};
use telemetry::{Limits, Store, receiver, trace::TraceFilter};
use tokio_util::sync::CancellationToken;
use tonic::{
    codec::CompressionEncoding,
    transport::{Endpoint, server::TcpIncoming},
};

use crate::sent::{log_record, resource_logs, resource_spans, span};

#[tokio::test]
async fn what_is_sent_is_kept_and_what_has_no_id_is_refused() {
    let store = Arc::new(Store::new(Limits::default()));
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = incoming.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let served = tokio::spawn(receiver::serve(incoming, Arc::clone(&store), stop.clone()));
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a URL");
    let channel = endpoint.connect().await.expect("it listens");

    // As collectors do, unless they are told not to.
    let mut traces =
        TraceServiceClient::new(channel.clone()).send_compressed(CompressionEncoding::Gzip);
    let nameless = vec![span(1, 1, 0, "good", 0, 5), span(0, 1, 0, "bad", 0, 5)];
    let request =
        ExportTraceServiceRequest { resource_spans: vec![resource_spans("any", nameless)] };
    let answer = traces.export(request).await.expect("an answer").into_inner();
    assert_eq!(answer.partial_success.map(|partial| partial.rejected_spans), Some(1));

    let mut large = log_record(1, &"x".repeat(8 * 1024 * 1024), 1, "42");
    large.attributes.clear();
    let request =
        ExportLogsServiceRequest { resource_logs: vec![resource_logs("any", vec![large])] };
    LogsServiceClient::new(channel).export(request).await.expect("8 MiB are not too much");

    let rows = store.traces(&TraceFilter::default(), 10);
    assert_eq!(rows.len(), 1);
    assert_eq!((&*rows[0].name, &*rows[0].service, rows[0].duration_ms), ("good", "any", 5.0));
    assert_eq!(store.trace(rows[0].trace_id).expect("it is here").log_records.len(), 1);
    stop.cancel();
    served.await.expect("no panic").expect("a clean end");
}
