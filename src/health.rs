//! `/livez` and `/readyz`: whether to restart the process, and whether it works.
//!
//! Alive means that the poll loop and the lease keeper turn. The state of SES, SQS and CodeCommit is
//! no part of it: an orchestrator that restarted every task in an outage would spend a receive of
//! each message that the tasks hold.

use std::{io, net::SocketAddr, sync::Arc};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::pipeline::health_state::HealthState;

/// The health port, listening.
#[derive(Debug)]
pub struct Health {
    listener: TcpListener,
}

#[derive(Serialize)]
struct Answer {
    ok: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

impl Health {
    /// Takes the port.
    ///
    /// # Errors
    ///
    /// If the port is taken or we may not take it.
    pub async fn listen(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
        })
    }

    /// Answers until stopped.
    pub async fn serve(self, state: Arc<HealthState>, stop: CancellationToken) {
        type Shared = State<Arc<HealthState>>;
        let service = Router::new()
            .route(
                "/livez",
                get(|state: Shared| async move { answer(state.liveness_problems()) }),
            )
            .route(
                "/readyz",
                get(|state: Shared| async move { answer(state.readiness_problems()) }),
            )
            .with_state(state);
        tokio::select! {
            // Serving never ends by itself.
            _ = axum::serve(self.listener, service) => {}
            () = stop.cancelled() => {}
        }
    }
}

fn answer(reasons: Vec<String>) -> (StatusCode, Json<Answer>) {
    let ok = reasons.is_empty();
    let status = if ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(Answer { ok, reasons }))
}
