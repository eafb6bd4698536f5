//! A collector in the test's own process, over gRPC or over HTTP, well or ill.

mod read;

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::collector::{
    metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use prost::Message as _;
use sandbox::lock;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

pub(crate) use self::read::{Kind, Link, Point, Span};

/// What the daemon is told of a collector.
pub(crate) const GRPC: &str = "grpc";
pub(crate) const HTTP: &str = "http/protobuf";

/// A collector that serves until this is dropped.
pub(crate) struct Collector {
    endpoint: String,
    got: Arc<Got>,
    _serving: DropGuard,
}

#[derive(Default)]
struct Got {
    traces: Mutex<Vec<ExportTraceServiceRequest>>,
    metrics: Mutex<Vec<ExportMetricsServiceRequest>>,
    /// Refuses everything.
    ill: bool,
}

impl Collector {
    pub(crate) async fn start(protocol: &str) -> Self {
        Self::serve(protocol, false).await
    }

    /// One that answers every export with an error.
    pub(crate) async fn ill(protocol: &str) -> Self {
        Self::serve(protocol, true).await
    }

    async fn serve(protocol: &str, ill: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let got = Arc::new(Got {
            ill,
            ..Got::default()
        });
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let service = Service(got.clone());
        if protocol == GRPC {
            let serving = tonic::transport::Server::builder()
                .add_service(TraceServiceServer::new(service.clone()))
                .add_service(MetricsServiceServer::new(service))
                .serve_with_incoming_shutdown(TcpIncoming::from(listener), stopped);
            tokio::spawn(serving);
        } else {
            let router = Router::new()
                .route("/v1/traces", post(traces))
                .route("/v1/metrics", post(metrics))
                .with_state(service);
            tokio::spawn(async move {
                let serving = axum::serve(listener, router);
                serving.with_graceful_shutdown(stopped).await
            });
        }
        Self {
            endpoint,
            got,
            _serving: stop.drop_guard(),
        }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// All spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let got = lock(&self.got.traces);
        got.iter().flat_map(read::spans).collect()
    }

    /// All points of all metrics so far, those of each export by themselves.
    pub(crate) fn points(&self) -> Vec<Point> {
        let got = lock(&self.got.metrics);
        got.iter().flat_map(read::points).collect()
    }

    /// The resource of every export.
    pub(crate) fn resources(&self) -> Vec<read::Attributes> {
        let traces = lock(&self.got.traces);
        let metrics = lock(&self.got.metrics);
        let of_traces = traces.iter().flat_map(|export| &export.resource_spans);
        let of_metrics = metrics.iter().flat_map(|export| &export.resource_metrics);
        let all = of_traces.filter_map(|one| one.resource.as_ref());
        let all = all.chain(of_metrics.filter_map(|one| one.resource.as_ref()));
        all.map(|resource| read::attributes(&resource.attributes))
            .collect()
    }

    /// All that came, as text to be searched.
    pub(crate) fn text(&self) -> String {
        let traces = lock(&self.got.traces);
        format!("{:?} {:?}", *traces, *lock(&self.got.metrics))
    }
}

#[derive(Clone)]
struct Service(Arc<Got>);

impl Service {
    fn health(&self) -> Result<(), Status> {
        if self.0.ill {
            return Err(Status::internal("out of disk"));
        }
        Ok(())
    }
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.health()?;
        lock(&self.0.traces).push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.health()?;
        lock(&self.0.metrics).push(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

async fn traces(State(service): State<Service>, body: Bytes) -> StatusCode {
    if service.health().is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    let Ok(export) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    lock(&service.0.traces).push(export);
    StatusCode::OK
}

async fn metrics(State(service): State<Service>, body: Bytes) -> StatusCode {
    if service.health().is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    let Ok(export) = ExportMetricsServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    lock(&service.0.metrics).push(export);
    StatusCode::OK
}
