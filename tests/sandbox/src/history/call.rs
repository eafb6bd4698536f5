//! One call in the history, from its request to the last byte of its answer.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderName, header};
use serde_json::{Value, json};

use super::{CALL, History};

/// Answers up to this size are written down, in bytes.
const SHORT: usize = 8 << 10;
/// More of a user agent is of no use.
const AGENT: usize = 120;

/// A request as it came.
pub(crate) struct Request<'a> {
    /// `service:Operation`.
    pub operation: &'a str,
    pub parts: &'a Parts,
    pub body: &'a Bytes,
    /// The number of the connection.
    pub connection: u64,
}

/// A call that is being worked on, where a history is kept. Dropping it before its answer says that nobody
/// waits for one.
pub(crate) struct Noted(Option<Open>);

struct Open {
    history: Arc<History>,
    number: u64,
    answered: bool,
}

impl Noted {
    /// Writes the request down.
    pub(crate) fn begin(history: &Arc<History>, request: &Request<'_>) -> Self {
        let open = history.0.get().map(|open| Open {
            number: open.write("call", None, request.record()),
            history: Arc::clone(history),
            answered: false,
        });
        Self(open)
    }

    /// Does the work as that of this call.
    pub(crate) async fn scope<T>(&self, work: impl Future<Output = T>) -> T {
        match &self.0 {
            Some(open) => CALL.scope(open.number, work).await,
            None => work.await,
        }
    }

    /// The answer is on its way, or the connection is cut. Gives the call's number, one more than in its
    /// record, so that zero is no call.
    pub(crate) fn end(mut self) -> u64 {
        self.0.as_mut().map_or(0, |open| {
            open.answered = true;
            open.number + 1
        })
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if let Some(open) = self.0.as_ref().filter(|open| !open.answered)
            && let Some(kept) = open.history.0.get()
        {
            kept.write("unanswered", Some(open.number), json!({ "how": "hung up" }));
        }
    }
}

impl History {
    /// The answer to a call has been given to the socket whole; `number` is what [`Noted::end`] gave.
    pub(crate) fn written(&self, number: u64) {
        if let (Some(open), Some(call)) = (self.0.get(), number.checked_sub(1)) {
            open.write("written", Some(call), json!({}));
        }
    }

    /// What a call is answered with: its status, and a refusal's code or the body.
    pub(crate) fn answer(&self, operation: &str, answer: Result<Option<&[u8]>, (u16, &str)>) {
        self.note("answer", || match answer {
            Err((status, code)) => json!({ "status": status, "code": code }),
            Ok(body) => {
                // What a receive brought stands in records of its own.
                let short =
                    body.filter(|body| body.len() <= SHORT && operation != "sqs:ReceiveMessage");
                let body = short.and_then(|body| serde_json::from_slice::<Value>(body).ok());
                json!({ "status": 200, "body": body })
            }
        });
    }
}

impl Request<'_> {
    fn record(&self) -> Value {
        let text = |name: HeaderName| {
            let value = self.parts.headers.get(name);
            value
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let client = text(header::AUTHORIZATION)
            .split_once("Credential=")
            .and_then(|(_, scope)| scope.split('/').next());
        let agent: String = text(header::USER_AGENT).chars().take(AGENT).collect();
        json!({
            "op": self.operation,
            "connection": self.connection,
            "client": client,
            "agent": agent,
            "request": self.asked(),
        })
    }

    /// The body's fields without a mail's text; of what is no JSON, the path.
    fn asked(&self) -> Value {
        match serde_json::from_slice::<Value>(self.body) {
            Ok(Value::Object(mut fields)) => {
                fields.remove("Content");
                Value::Object(fields)
            }
            _ => json!({ "path": self.parts.uri.path() }),
        }
    }
}
