//! `POST /history/marks`: what others say in the history.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Map, Value};

use super::super::Sandbox;

pub(crate) fn router() -> Router<Arc<Sandbox>> {
    Router::new().route("/history/marks", post(mark))
}

/// Takes an object with a text `mark`, and whatever else is to be kept.
async fn mark(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Response {
    let fields = serde_json::from_slice::<Map<String, Value>>(&body).ok();
    let name = fields
        .as_ref()
        .and_then(|fields| Some(fields.get("mark")?.as_str()?.to_owned()));
    let (Some(fields), Some(name)) = (fields, name) else {
        let wanted = "a mark is an object with a text `mark`\n";
        return (StatusCode::BAD_REQUEST, wanted).into_response();
    };
    if !sandbox.history.is_on() {
        return (StatusCode::CONFLICT, "no history is kept\n").into_response();
    }
    sandbox.history.mark(&name, Value::Object(fields));
    StatusCode::NO_CONTENT.into_response()
}
