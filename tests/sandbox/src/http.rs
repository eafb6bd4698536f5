//! The wire: which protocol a request speaks, the call behind it, and the answer's form.

mod render;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

pub(crate) use self::render::crc32;

use self::render::render;
use super::Sandbox;
use super::connection::Connection;
use super::dynamodb::Refusal;
use super::faults::{Fault, Plan};
use super::history::{Noted, Request as Asked};
use super::outbox::Refused;
use super::s3;
use super::ses::SendEmail;
use super::sqs::{Caller, query_code};

/// SES takes mails of up to 40 MB, which base64 makes larger.
const MOST_BODY_BYTES: usize = 64 << 20;

/// Paths by which tests set up a service: no calls, so neither counted nor hit by faults.
const SETTINGS: &str = "/ses/";

/// An error as a service reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceError {
    /// The HTTP status.
    pub status: u16,
    /// As on the wire, such as `QueueDoesNotExist`.
    pub code: String,
    /// SQS's code from the query protocol, where it differs.
    pub query_code: Option<String>,
    /// The text beside the code.
    pub message: String,
}

/// A refusal with status 400.
pub(crate) fn refuse(code: &str, message: impl Into<String>) -> ServiceError {
    ServiceError {
        status: 400,
        code: code.to_owned(),
        query_code: None,
        message: message.into(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Sqs,
    Sns,
    Ses,
    CodeCommit,
    DynamoDb,
    S3,
}

/// A request once it is known what it asks for.
struct Call<'a> {
    service: Service,
    operation: Cow<'a, str>,
    input: Input,
}

enum Input {
    Json(Value),
    /// Most requests are mails, and large: read at once as what they are.
    Mail(Box<SendEmail>),
    Form(Vec<(String, String)>),
    Object(Box<s3::Request>),
}

enum Answer {
    Json(Vec<u8>),
    Xml(String),
    Object(s3::Reply),
}

/// S3's requests go by their signature alone: a bucket may have the name of one of the sandbox's own
/// pages.
pub async fn s3_first(
    state: State<Arc<Sandbox>>,
    connection: ConnectInfo<Connection>,
    request: Request,
    next: Next,
) -> Response {
    if s3::Request::is_signed(request.headers()) {
        aws(state, connection, request).await
    } else {
        next.run(request).await
    }
}

/// Answers every request that is not for the sandbox's own pages.
pub async fn aws(
    State(sandbox): State<Arc<Sandbox>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let answered = answer(&sandbox, &connection, &parts, body);
    tokio::select! {
        biased;
        () = sandbox.stopping() => {
            connection.reset();
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        response = answered => response,
    }
}

async fn answer(sandbox: &Sandbox, connection: &Connection, parts: &Parts, body: Body) -> Response {
    let Ok(body) = to_bytes(body, MOST_BODY_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let call = match Call::parse(parts, &body) {
        Ok(call) => call,
        Err((service, error)) => return render(sandbox, service, Err(error.into())),
    };
    let service = call.service;
    let name = format!("{}:{}", service.name(), call.operation);
    if parts.uri.path().starts_with(SETTINGS) && service != Service::S3 {
        let answer = run(sandbox, parts, call, &name).await;
        return render(sandbox, service, answer);
    }
    sandbox.count(&name);
    let noted = Noted::begin(
        &sandbox.history,
        &Asked {
            operation: &name,
            parts,
            body: &body,
            connection: connection.number,
        },
    );
    let answered = noted.scope(serve(sandbox, connection, parts, &body, call, &name));
    let response = answered.await;
    connection.answering(noted.end());
    response
}

/// Answers a call, unless a fault strikes it.
async fn serve(
    sandbox: &Sandbox,
    connection: &Connection,
    parts: &Parts,
    body: &[u8],
    call: Call<'_>,
    name: &str,
) -> Response {
    let service = call.service;
    let reply = |answer| {
        tell(sandbox, name, &answer);
        render(sandbox, service, answer)
    };
    let Plan { delay, fault } = sandbox.faults.plan(name, body);
    if !delay.is_zero() || fault.is_some() {
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        let struck = || json!({ "delay_ms": delay_ms, "fault": fault });
        sandbox.history.note("struck", struck);
    }
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match fault {
        None => {
            let answer = run(sandbox, parts, call, name).await;
            if let Err(refusal) = &answer {
                note_refusal(sandbox, name, body, &refusal.error);
            }
            reply(answer)
        }
        Some(Fault::Error {
            code,
            status,
            message,
        }) => {
            let error = ServiceError {
                status,
                query_code: query_code(&code),
                code,
                message,
            };
            note_refusal(sandbox, name, body, &error);
            reply(Err(error.into()))
        }
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::AnswerLate { after_ms }) => {
            let answer = run(sandbox, parts, call, name).await;
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            reply(answer)
        }
        Some(fault) => {
            if fault == Fault::ResetAfter {
                // What it would have answered is what the caller never learns.
                drop(run(sandbox, parts, call, name).await);
            }
            let how = || json!({ "how": "reset" });
            sandbox.history.note("unanswered", how);
            connection.reset();
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

/// Keeps the refusal of a mail for the outbox's page.
fn note_refusal(sandbox: &Sandbox, operation: &str, body: &[u8], error: &ServiceError) {
    if operation == "ses:SendEmail" {
        let now = sandbox.clock.now_millis();
        sandbox.outbox.refuse(Refused::new(body, error, now));
    }
}

/// Writes an answer down.
fn tell(sandbox: &Sandbox, name: &str, answer: &Result<Answer, Refusal>) {
    let told = match answer {
        Ok(Answer::Json(body)) => Ok(Some(&**body)),
        Ok(_) => Ok(None),
        Err(refusal) => Err((refusal.error.status, &*refusal.error.code)),
    };
    sandbox.history.answer(name, told);
}

async fn run(
    sandbox: &Sandbox,
    parts: &Parts,
    call: Call<'_>,
    name: &str,
) -> Result<Answer, Refusal> {
    let Call {
        service,
        operation,
        input,
    } = call;
    let answer = match (service, input) {
        (Service::Sqs, Input::Json(request)) => {
            let caller = caller(&parts.headers);
            let (request, failed) = fail_entries(sandbox, name, request);
            let sound = request["Entries"].as_array().is_none_or(|e| !e.is_empty());
            if failed.is_empty() {
                let answer = sandbox.sqs.answer(&caller, &operation, &request).await?;
                return Ok(Answer::Json(answer));
            }
            let mut answer = if sound {
                sandbox.sqs.call_from(&caller, &operation, request).await?
            } else {
                json!({ "Successful": [], "Failed": [] })
            };
            if let Some(list) = answer.get_mut("Failed").and_then(Value::as_array_mut) {
                list.extend(failed);
            }
            answer
        }
        (Service::CodeCommit, Input::Json(request)) => {
            sandbox.codecommit.call(&operation, request).await?
        }
        (Service::Ses, Input::Json(request)) => sandbox.ses.call(&operation, request).await?,
        (Service::DynamoDb, Input::Json(request)) => {
            let region = caller(&parts.headers).region;
            sandbox.dynamodb.call_from(&region, &operation, request)?
        }
        (_, Input::Object(request)) => return Ok(Answer::Object(sandbox.s3.call(&request))),
        (_, Input::Mail(mail)) => sandbox.ses.send_email(*mail)?,
        (_, Input::Form(form)) => {
            return Ok(Answer::Xml(sandbox.sns.call_query(&form).await?));
        }
        (Service::Sns | Service::S3, Input::Json(_)) => {
            return Err(unknown("It does not speak JSON here.").into());
        }
    };
    Ok(Answer::from(answer))
}

impl From<Value> for Answer {
    fn from(json: Value) -> Self {
        Self::Json(json.to_string().into_bytes())
    }
}

/// Takes the entries out of a batch that a fault strikes, and gives their failures.
fn fail_entries(sandbox: &Sandbox, name: &str, mut request: Value) -> (Value, Vec<Value>) {
    let mut failed = Vec::new();
    if sandbox.faults.is_empty() {
        return (request, failed);
    }
    if let Some(entries) = request.get_mut("Entries").and_then(Value::as_array_mut) {
        entries.retain(|entry| {
            let struck = sandbox
                .faults
                .entry_error(name, entry.to_string().as_bytes());
            if let Some((code, message)) = &struck {
                let told = || json!({ "entry": entry["Id"], "code": code });
                sandbox.history.note("struck_entry", told);
                failed.push(json!({
                    "Id": entry["Id"], "Code": code, "SenderFault": false, "Message": message,
                }));
            }
            struck.is_none()
        });
    }
    (request, failed)
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::Sns => "sns",
            Self::Ses => "ses",
            Self::CodeCommit => "codecommit",
            Self::DynamoDb => "dynamodb",
            Self::S3 => "s3",
        }
    }
}

impl<'a> Call<'a> {
    /// The error comes with the service in whose form it is answered.
    fn parse(parts: &'a Parts, body: &Bytes) -> Result<Self, (Service, ServiceError)> {
        if let Some(request) = s3::Request::read(parts, body) {
            return Ok(Self {
                service: Service::S3,
                operation: Cow::Borrowed(request.operation),
                input: Input::Object(Box::new(request)),
            });
        }
        let path = parts.uri.path();
        if path.starts_with("/v2/email") || path.starts_with(SETTINGS) {
            let query = parts.uri.query().unwrap_or_default();
            let (operation, parameters) = super::ses::route(parts.method.as_str(), path, query)
                .ok_or_else(|| (Service::Ses, unknown("No such operation.")))?;
            if operation == "SendEmail"
                && parameters.is_empty()
                && let Some(mail) = SendEmail::read(body)
            {
                return Ok(Self {
                    service: Service::Ses,
                    operation: Cow::Borrowed(operation),
                    input: Input::Mail(Box::new(mail)),
                });
            }
            let mut request = object(body).map_err(|error| (Service::Ses, error))?;
            request.extend(parameters);
            return Ok(Self::json(Service::Ses, operation, request));
        }
        let header = |name: &str| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        if let Some(target) = header("x-amz-target") {
            let (service, operation) = match target.split_once('.') {
                Some(("AmazonSQS", operation)) => (Service::Sqs, operation),
                Some(("CodeCommit_20150413", operation)) => (Service::CodeCommit, operation),
                Some(("DynamoDB_20120810", operation)) => (Service::DynamoDb, operation),
                _ => return Err((Service::Sqs, unknown("No such service."))),
            };
            let mut request = object(body).map_err(|error| (service, error))?;
            if service == Service::Sqs && path.len() > 1 {
                request.entry("QueueUrl").or_insert_with(|| json!(path));
            }
            return Ok(Self::json(service, operation, request));
        }
        if header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form")) {
            let form: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
            let field = |name: &str| form.iter().find(|(key, _)| key == name);
            let operation = field("Action").map(|(_, action)| action.clone());
            if path.len() > 1 || field("Version").is_some_and(|(_, v)| v == "2012-11-05") {
                let error = unknown("SQS speaks the JSON protocol here, not the query protocol.");
                return Err((Service::Sns, error));
            }
            return Ok(Self {
                service: Service::Sns,
                operation: Cow::Owned(operation.unwrap_or_default()),
                input: Input::Form(form),
            });
        }
        Err((
            Service::Sqs,
            unknown("This is no call that the sandbox knows."),
        ))
    }

    fn json(service: Service, operation: &'a str, request: Map<String, Value>) -> Self {
        Self {
            service,
            operation: Cow::Borrowed(operation),
            input: Input::Json(Value::Object(request)),
        }
    }
}

fn object(body: &[u8]) -> Result<Map<String, Value>, ServiceError> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(body)
        .map_err(|_| refuse("SerializationException", "The body is not a JSON object."))
}

fn unknown(message: &str) -> ServiceError {
    refuse("UnknownOperationException", message)
}

/// The host from the request and the region from the scope of its signature.
fn caller(headers: &HeaderMap) -> Caller {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let default = Caller::default();
    let region = text(header::AUTHORIZATION)
        .and_then(|authorization| authorization.split_once("Credential="))
        .and_then(|(_, scope)| scope.split('/').nth(2))
        .filter(|region| !region.is_empty());
    Caller {
        host: text(header::HOST).map_or(default.host, str::to_owned),
        region: region.map_or(default.region, str::to_owned),
    }
}
