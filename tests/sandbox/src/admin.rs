//! The sandbox's own pages: health, the outbox, faults, tables, call counts and reset.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router, middleware};
use serde::Deserialize;
use serde_json::{Value, json};

use super::connection::Connection;
use super::{Sandbox, http, outbox};

/// What `PUT /dynamodb/clock` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableClock {
    ahead_ms: i64,
}

pub(crate) fn router() -> Router<Arc<Sandbox>> {
    Router::new()
        .merge(outbox::routes::router())
        .route("/health", get(async || "ok\n"))
        .route("/faults", get(faults).put(set_faults).delete(clear_faults))
        .route("/events", get(events).put(set_events).delete(clear_events))
        .route("/dynamodb", get(tables))
        .route("/dynamodb/sweep", post(sweep))
        .route("/dynamodb/clock", put(set_clock))
        .route("/calls", get(calls))
        .route("/reset", post(reset))
        .route_layer(middleware::from_fn(own_pages_only))
        // Behind the layer, since AWS's calls come from anywhere.
        .route("/", get(home).fallback(http::aws))
}

/// Refuses what a page of another site sends: a form there could delete mails here, without its
/// visitor knowing.
async fn own_pages_only(request: Request, next: Next) -> Response {
    if request.method().is_safe() || !is_foreign(request.headers()) {
        return next.run(request).await;
    }
    let problem = "Refused: it was sent by a page of another site.\n";
    (StatusCode::FORBIDDEN, problem).into_response()
}

/// Whether a browser says that another site sent it. Programs other than browsers say nothing of the
/// kind, and older browsers name the sender's origin alone.
fn is_foreign(headers: &HeaderMap) -> bool {
    let header = |name: &str| {
        let value = headers.get(name)?;
        Some(value.to_str().unwrap_or_default())
    };
    let own_origin = || format!("http://{}", header("host").unwrap_or_default());
    match header("sec-fetch-site") {
        Some(site) => !matches!(site, "same-origin" | "none"),
        None => header("origin").is_some_and(|origin| origin != own_origin()),
    }
}

/// A browser is shown the outbox; anybody else calls AWS.
async fn home(
    state: State<Arc<Sandbox>>,
    connection: ConnectInfo<Connection>,
    request: Request,
) -> Response {
    if is_browser(request.headers()) {
        Redirect::to("/outbox").into_response()
    } else {
        http::aws(state, connection, request).await
    }
}

/// Whether a page is wanted, and not JSON.
pub(crate) fn is_browser(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|kinds| kinds.contains("text/html") && !kinds.contains("application/json"))
}

async fn faults(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    Json(sandbox.faults.json())
}

async fn set_faults(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Response {
    match sandbox.faults.set_json(&body) {
        Ok(()) => Json(sandbox.faults.json()).into_response(),
        Err(problem) => (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response(),
    }
}

async fn clear_faults(State(sandbox): State<Arc<Sandbox>>) -> StatusCode {
    sandbox.faults.clear();
    StatusCode::NO_CONTENT
}

async fn events(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    Json(sandbox.ses.event_rules_json())
}

async fn set_events(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Response {
    match sandbox.ses.set_rules_json(&body) {
        Ok(()) => Json(sandbox.ses.event_rules_json()).into_response(),
        Err(problem) => (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response(),
    }
}

async fn clear_events(State(sandbox): State<Arc<Sandbox>>) -> StatusCode {
    // An empty object sets nothing.
    drop(sandbox.ses.set_rules_json(b"{}"));
    StatusCode::NO_CONTENT
}

async fn tables(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    Json(sandbox.dynamodb.json())
}

async fn sweep(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    Json(json!({ "removed": sandbox.dynamodb.sweep() }))
}

/// Takes `{"ahead_ms": …}`; a negative number puts the clock back.
async fn set_clock(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(TableClock { ahead_ms }) => {
            sandbox.dynamodb.set_clock_ahead(ahead_ms);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(problem) => (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response(),
    }
}

async fn calls(State(sandbox): State<Arc<Sandbox>>) -> Response {
    Json(sandbox.calls()).into_response()
}

async fn reset(State(sandbox): State<Arc<Sandbox>>) -> StatusCode {
    sandbox.reset();
    StatusCode::NO_CONTENT
}
