//! The gRPC services of OTLP that take spans and log records.

use std::{sync::Arc, time::Duration};

use prost::DecodeError;
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status,
    codec::CompressionEncoding,
    transport::{self, Server, server::TcpIncoming},
};

use crate::{
    Store,
    wire::{
        logs::{
            ExportLogsServiceRequest, ExportLogsServiceResponse,
            logs_service_server::{LogsService, LogsServiceServer},
        },
        traces::{
            ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
};

/// The largest request, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;
/// How much may be on its way, in bytes: a request of the largest usual size.
const WINDOW: u32 = 4 * 1024 * 1024;
/// How much of it in one frame of HTTP/2, in bytes.
const LARGEST_FRAME: u32 = 1024 * 1024;
/// How long requests in hand may take to end once the receiver is to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// Takes what comes into a store.
#[derive(Clone, Debug)]
struct Receiver(Arc<Store>);

/// Takes spans and log records until `stop`, then waits for requests in hand, but not for ever.
pub async fn serve(
    incoming: TcpIncoming,
    store: Arc<Store>,
    stop: CancellationToken,
) -> Result<(), transport::Error> {
    let receiver = Receiver(store);
    // Collectors compress, unless they are told not to.
    let traces = TraceServiceServer::new(receiver.clone())
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(LARGEST);
    let logs = LogsServiceServer::new(receiver)
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(LARGEST);
    let server = Server::builder()
        // A request comes in one piece, and not in rounds of 64 KiB that both sides wake up for.
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(LARGEST_FRAME)
        .add_service(traces)
        .add_service(logs)
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    let limit = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN_LIMIT).await;
    };
    tokio::select! {
        served = server => served,
        () = limit => Ok(()),
    }
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let request = request.into_inner().resource_spans;
        let rejected = self.0.receive_spans(request).map_err(unreadable)?;
        let partial_success = (rejected > 0).then(|| ExportTracePartialSuccess {
            rejected_spans: i64::try_from(rejected).unwrap_or(i64::MAX),
            error_message: "a span needs a trace id of 16 bytes and a span id of 8, not all zero"
                .to_owned(),
        });
        Ok(Response::new(ExportTraceServiceResponse { partial_success }))
    }
}

#[tonic::async_trait]
impl LogsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let request = request.into_inner().resource_logs;
        self.0.receive_log_records(request).map_err(unreadable)?;
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

/// Sent again it would be no better.
fn unreadable(error: DecodeError) -> Status {
    Status::invalid_argument(format!("the request is not OTLP: {error}"))
}
