//! `/livez` and `/readyz`: whether to restart the process, and whether it works.
//!
//! Alive means that boot is through, and that the poll loop and the lease keeper turn. The state of SES, SQS and CodeCommit is
//! no part of it: an orchestrator that restarted every task in an outage would spend a receive of
//! each message that the tasks hold.

use std::{io, sync::Arc};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::pipeline::health_state::HealthState;

#[derive(Serialize)]
struct Answer {
    ok: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

/// Answers on the health port. It never ends by itself.
///
/// # Errors
///
/// None that is known: the port's own are tried again.
pub async fn serve(listener: TcpListener, state: Arc<HealthState>) -> io::Result<()> {
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
    axum::serve(listener, service).await
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
