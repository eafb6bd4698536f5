//! The form of answers: status, headers and body, as each service writes them.

use std::time::{Duration, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use quick_xml::escape::escape;
use serde_json::json;
use uuid::Uuid;

use super::super::Sandbox;
use super::super::dynamodb::Refusal;
use super::super::s3;
use super::{Answer, Service, ServiceError};

pub(super) fn render(
    sandbox: &Sandbox,
    service: Service,
    answer: Result<Answer, Refusal>,
) -> Response {
    let request_id = Uuid::new_v4().to_string();
    let mut response = match answer {
        Ok(Answer::Json(json)) => {
            (checksum(service, &json), content_type(service), json).into_response()
        }
        Ok(Answer::Xml(xml)) => (content_type(Service::Sns), xml).into_response(),
        Ok(Answer::Object(reply)) => reply.into_response(),
        Err(refusal) if service == Service::S3 => s3::Reply::error(&refusal.error).into_response(),
        Err(refusal) => render_refusal(service, &refusal, &request_id),
    };
    let now_millis = match service {
        Service::DynamoDb => sandbox.dynamodb.now_millis(),
        _ => sandbox.clock.now_millis(),
    };
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(now_millis));
    let headers = response.headers_mut();
    insert(headers, "date", &date);
    if service != Service::S3 {
        insert(headers, "x-amzn-requestid", &request_id);
    }
    response
}

/// `DynamoDB` sends the body's checksum, which SDKs compare.
fn checksum(service: Service, body: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if service == Service::DynamoDb {
        insert(&mut headers, "x-amz-crc32", &crc32(body).to_string());
    }
    headers
}

/// As in zip files and PNG.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let shifted = |crc: u32| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| shifted(crc))
    })
}

fn render_refusal(service: Service, refusal: &Refusal, request_id: &str) -> Response {
    let error = &refusal.error;
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fault = if error.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    let ServiceError { code, message, .. } = error;
    let mut extra = HeaderMap::new();
    let body = match service {
        Service::Sqs => {
            let legacy = error.query_code.as_ref().unwrap_or(code);
            insert(
                &mut extra,
                "x-amzn-query-error",
                &format!("{legacy};{fault}"),
            );
            let name = format!("com.amazonaws.sqs#{code}");
            json!({ "__type": name, "message": message }).to_string()
        }
        Service::CodeCommit => json!({ "__type": code, "message": message }).to_string(),
        Service::DynamoDb => {
            let body = refusal.json().to_string();
            extra = checksum(service, body.as_bytes());
            body
        }
        Service::Ses => {
            insert(&mut extra, "x-amzn-errortype", code);
            json!({ "message": message }).to_string()
        }
        Service::Sns | Service::S3 => format!(
            "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>{fault}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
            escape(code.as_str()),
            escape(message.as_str()),
        ),
    };
    (status, extra, content_type(service), body).into_response()
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn content_type(service: Service) -> [(HeaderName, &'static str); 1] {
    let kind = match service {
        Service::Sqs | Service::DynamoDb => "application/x-amz-json-1.0",
        Service::CodeCommit => "application/x-amz-json-1.1",
        Service::Ses => "application/json",
        Service::Sns | Service::S3 => "text/xml",
    };
    [(header::CONTENT_TYPE, kind)]
}
