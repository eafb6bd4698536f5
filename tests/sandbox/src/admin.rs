//! The sandbox's own pages: health, the outbox, faults, tables, call counts and reset.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Sandbox;

/// What `PUT /dynamodb/clock` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableClock {
    ahead_ms: i64,
}

pub(crate) fn router() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/health", get(async || "ok\n"))
        .route("/outbox", get(outbox).delete(clear_outbox))
        .route("/outbox/{id}", get(mail))
        .route("/faults", get(faults).put(set_faults).delete(clear_faults))
        .route("/events", get(events).put(set_events).delete(clear_events))
        .route("/dynamodb", get(tables))
        .route("/dynamodb/sweep", post(sweep))
        .route("/dynamodb/clock", put(set_clock))
        .route("/calls", get(calls))
        .route("/reset", post(reset))
}

/// A browser gets the page, everything else JSON.
async fn outbox(State(sandbox): State<Arc<Sandbox>>, headers: HeaderMap) -> Response {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .unwrap_or_default();
    if accept.contains("text/html") && !accept.contains("application/json") {
        Html(sandbox.outbox.page(&sandbox.ses.told())).into_response()
    } else {
        let mut shown = sandbox.outbox.json();
        shown["told"] = json!(sandbox.ses.told());
        Json(shown).into_response()
    }
}

async fn mail(State(sandbox): State<Arc<Sandbox>>, Path(id): Path<String>) -> Response {
    match sandbox.outbox.mail_page(&id, &sandbox.ses.told()) {
        Some(page) => Html(page).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn clear_outbox(State(sandbox): State<Arc<Sandbox>>) -> StatusCode {
    sandbox.outbox.clear();
    StatusCode::NO_CONTENT
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
