//! The outbox over HTTP: its pages for browsers, JSON for everybody else.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use maud::Markup;
use serde::Deserialize;
use serde_json::json;

use super::super::{Sandbox, admin};
use super::page::{self, Chosen};
use super::search::Search;
use super::source::source;

/// A page runs the outbox's own script and no other, shows the HTML of mails in frames of its own,
/// and stands in nobody's frame.
const OF_PAGES: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The HTML of a mail runs nothing, also in a tab of its own: the sandbox allows no scripts, no forms
/// and no way to the frame around, and no source of scripts is allowed besides. It keeps the origin,
/// so that the page around can measure how high it is and open its links; to a document without
/// scripts the origin gives nothing.
const OF_MAILS: &str = "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline' https: http:; \
    img-src data: https: http:; font-src data: https: http:; frame-ancestors 'self'";

pub(crate) fn router() -> Router<Arc<Sandbox>> {
    let text = |kind: &'static str, text: &'static str| {
        get(async move || answer(kind, "default-src 'none'", text))
    };
    let (script, style) = (include_str!("page.js"), include_str!("style.css"));
    let icon = include_str!("icon.svg");
    Router::new()
        .route("/outbox", get(list).delete(clear))
        .route("/outbox/delete", post(delete_found))
        .route(
            "/outbox/page.js",
            text("text/javascript; charset=utf-8", script),
        )
        .route("/outbox/style.css", text("text/css; charset=utf-8", style))
        .route("/outbox/icon.svg", text("image/svg+xml", icon))
        // A browser asks for it beside any page that names none, as the HTML of a mail does.
        .route("/favicon.ico", text("image/svg+xml", icon))
        .route("/outbox/{id}", get(mail).delete(delete))
        .route("/outbox/{id}/delete", post(delete_and_return))
        .route("/outbox/{id}/html", get(html))
        .route("/outbox/{id}/source.eml", get(eml))
}

/// What was searched for.
#[derive(Deserialize)]
struct Typed {
    #[serde(default)]
    q: String,
}

/// A browser gets the page, everything else JSON.
async fn list(
    State(sandbox): State<Arc<Sandbox>>,
    Query(typed): Query<Typed>,
    headers: HeaderMap,
) -> Response {
    let told = sandbox.ses.told();
    if !admin::is_browser(&headers) {
        let mut shown = sandbox.outbox.json();
        shown["told"] = json!(told);
        return Json(shown).into_response();
    }
    let found = sandbox.outbox.found(&Search::new(&typed.q));
    page::list(&sandbox, &found, &typed.q, &told).respond()
}

async fn mail(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    Query(chosen): Query<Chosen>,
) -> Response {
    let Some(mail) = sandbox.outbox.mail(&id) else {
        return unknown(&id);
    };
    let found = sandbox.outbox.found(&Search::new(&chosen.q));
    let told = sandbox.ses.told();
    page::mail(&sandbox, &mail, &found.beside(&id), &chosen, told.get(&id)).respond()
}

/// The HTML part alone, as a frame and a tab of its own show it.
async fn html(State(sandbox): State<Arc<Sandbox>>, Path(id): Path<String>) -> Response {
    let mail = sandbox.outbox.mail(&id);
    match mail.and_then(|mail| mail.html.clone()) {
        Some(html) => answer("text/html; charset=utf-8", OF_MAILS, html).into_response(),
        None => unknown(&id),
    }
}

async fn eml(State(sandbox): State<Arc<Sandbox>>, Path(id): Path<String>) -> Response {
    let Some(mail) = sandbox.outbox.mail(&id) else {
        return unknown(&id);
    };
    let disposition = [(
        header::CONTENT_DISPOSITION,
        "attachment; filename=\"mail.eml\"",
    )];
    let message = answer(
        "message/rfc822",
        "default-src 'none'; sandbox",
        source(&mail),
    );
    (disposition, message).into_response()
}

async fn clear(State(sandbox): State<Arc<Sandbox>>) -> StatusCode {
    sandbox.outbox.clear();
    StatusCode::NO_CONTENT
}

async fn delete(State(sandbox): State<Arc<Sandbox>>, Path(id): Path<String>) -> StatusCode {
    if sandbox.outbox.delete(&id) {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    }
}

/// The form beside the list: deletes what its search finds, without one everything.
async fn delete_found(State(sandbox): State<Arc<Sandbox>>, form: Bytes) -> Redirect {
    let search = Search::new(&typed(&form));
    if search.is_empty() {
        sandbox.outbox.clear();
    } else {
        sandbox.outbox.delete_found(&search);
    }
    Redirect::to("/outbox")
}

/// The form beside a mail; goes back to the list that the mail was reached from.
async fn delete_and_return(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    form: Bytes,
) -> Response {
    if sandbox.outbox.delete(&id) {
        Redirect::to(&page::list_address(&typed(&form))).into_response()
    } else {
        unknown(&id)
    }
}

/// The search that a form carries along.
fn typed(form: &[u8]) -> String {
    let mut fields = form_urlencoded::parse(form);
    let search = fields.find(|(name, _)| name == "q");
    search
        .map(|(_, typed)| typed.into_owned())
        .unwrap_or_default()
}

fn unknown(id: &str) -> Response {
    (StatusCode::NOT_FOUND, page::unknown(id).respond()).into_response()
}

trait Respond {
    fn respond(self) -> Response;
}

impl Respond for Markup {
    fn respond(self) -> Response {
        answer("text/html; charset=utf-8", OF_PAGES, self.into_string()).into_response()
    }
}

/// An answer that is taken for nothing but its kind and kept by nobody.
fn answer(kind: &'static str, policy: &'static str, body: impl IntoResponse) -> impl IntoResponse {
    let headers: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body)
}
