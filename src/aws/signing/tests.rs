//! Ours and the SDK's signer, side by side.

use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_types::{body::SdkBody, config_bag::Layer};
use aws_types::region::Region;
use proptest::prelude::*;

use super::*;

/// All that a signature depends on.
#[derive(Clone, Debug)]
struct Call {
    at: u64,
    key: &'static str,
    secret: &'static str,
    token: Option<&'static str>,
    region: &'static str,
    service: &'static str,
    uri: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    has_body_in_memory: bool,
    signs_body: bool,
    is_corrected: bool,
}

impl Call {
    fn usual() -> Self {
        Self {
            at: 1_795_000_000,
            key: "AKIDEXAMPLE",
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            token: None,
            region: "eu-west-1",
            service: "ses",
            uri: "https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails".to_owned(),
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("content-length", "2".to_owned()),
                ("user-agent", "somebody/1".to_owned()),
            ],
            body: b"{}".to_vec(),
            has_body_in_memory: true,
            signs_body: false,
            is_corrected: true,
        }
    }

    fn request(&self) -> HttpRequest {
        let body = SdkBody::from(self.body.clone());
        let mut request = HttpRequest::new(if self.has_body_in_memory {
            body
        } else {
            SdkBody::from_body_1_x(body)
        });
        request.set_method("POST").unwrap();
        request.set_uri(self.uri.clone()).unwrap();
        for (name, value) in &self.headers {
            request.headers_mut().append(*name, value.clone());
        }
        request
    }

    fn signed_by(&self, signer: &dyn Sign) -> Vec<(String, String)> {
        let mut request = self.request();
        let credentials = Credentials::new(
            self.key,
            self.secret,
            self.token.map(ToOwned::to_owned),
            None,
            "tests",
        );
        let mut layer = Layer::new("call");
        layer.store_put(SigningRegion::from(Region::from_static(self.region)));
        layer.store_put(SigningName::from_static(self.service));
        let mut operation = SigV4OperationSigningConfig::default();
        operation.signing_options.double_uri_encode = true;
        operation.signing_options.normalize_uri_path = true;
        operation.signing_options.content_sha256_header = self.signs_body;
        layer.store_put(operation);
        layer.store_put(DisableClockSkewCorrection::from(!self.is_corrected));
        let time = StaticTimeSource::from_secs(self.at);
        let components = RuntimeComponentsBuilder::for_tests()
            .with_time_source(Some(time))
            .build()
            .unwrap();
        signer
            .sign_http_request(
                &mut request,
                &credentials.into(),
                AuthSchemeEndpointConfig::empty(),
                &components,
                &ConfigBag::of_layers([layer]),
            )
            .unwrap();
        let headers = request.headers().iter();
        let mut headers: Vec<_> = headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        headers.sort();
        headers
    }
}

fn ours() -> Signing {
    Signing::new(ServiceClock::default())
}

fn agree(ours: &Signing, call: &Call) {
    let theirs = call.signed_by(&sigv4::SigV4Signer::new());
    assert_eq!(call.signed_by(ours.signer()), theirs, "{call:?}");
}

#[test]
fn a_usual_call_is_signed_without_the_sdks_signer() {
    let call = Call::usual();
    let ours = ours();
    agree(&ours, &call);
    assert!(ours.signer.day.lock().is_some());
}

#[test]
fn a_key_is_kept_for_its_day_its_credentials_its_region_and_its_service() {
    let ours = ours();
    let usual = Call::usual();
    let key = |call: &Call| {
        agree(&ours, call);
        ours.signer.day.lock().as_ref().unwrap().key.clone()
    };
    let first = key(&usual);
    let second = Call {
        at: usual.at + 1,
        key: "AKIDOTHER",
        token: Some("of a session"),
        ..usual.clone()
    };
    assert_eq!(key(&second), first);
    for other in [
        Call {
            at: usual.at + 86_400,
            ..usual.clone()
        },
        Call {
            secret: "another",
            ..usual.clone()
        },
        Call {
            region: "eu-west-2",
            ..usual.clone()
        },
        Call {
            service: "sqs",
            ..usual.clone()
        },
    ] {
        assert_ne!(key(&other), first, "{other:?}");
        assert_eq!(key(&usual), first);
    }
}

#[test]
fn what_is_out_of_the_ordinary_is_signed_by_the_sdk() {
    let usual = Call::usual();
    let with = |name, value: &str| {
        let mut call = usual.clone();
        call.headers.push((name, value.to_owned()));
        call
    };
    let to = |uri: &str| Call {
        uri: uri.to_owned(),
        ..usual.clone()
    };
    for call in [
        to("https://sqs.eu-west-1.amazonaws.com/?Action=x"),
        to("https://sqs.eu-west-1.amazonaws.com/a%20b"),
        to("https://sqs.eu-west-1.amazonaws.com/a/../b"),
        to("https://sqs.eu-west-1.amazonaws.com//a"),
        with("x-amz-meta", "two  spaces"),
        with("content-type", "twice"),
        Call {
            has_body_in_memory: false,
            ..usual.clone()
        },
        Call {
            signs_body: true,
            ..usual.clone()
        },
    ] {
        let ours = ours();
        agree(&ours, &call);
        assert!(ours.signer.day.lock().is_none(), "{call:?}");
    }
}

/// Ours, by a clock that is an hour behind AWS's.
fn an_hour_behind() -> Signing {
    let clock = ServiceClock::default();
    let theirs = DateTime::from(SystemTime::now() + Duration::from_hours(1));
    clock.learn(&theirs.fmt(DateTimeFormat::HttpDate).unwrap());
    Signing::new(clock)
}

#[test]
fn a_wrong_clock_signs_with_awss_time() {
    let ours = an_hour_behind();
    // The second one by the SDK's signer.
    for path in ["v2/email/outbound-emails", "a.b"] {
        let call = Call {
            uri: format!("https://email.eu-west-1.amazonaws.com/{path}"),
            ..Call::usual()
        };
        let signed = call.signed_by(ours.signer());
        // A date is cut off to a second.
        let right = [3599, 3600].map(|ahead| Call {
            at: call.at + ahead,
            ..call.clone()
        });
        let mut right = right
            .iter()
            .map(|call| call.signed_by(&sigv4::SigV4Signer::new()));
        assert!(right.any(|right| right == signed), "{signed:?}");
    }
}

#[test]
fn a_clock_that_is_not_to_be_corrected_signs_with_its_own_time() {
    let ours = an_hour_behind();
    for path in ["v2/email/outbound-emails", "a.b"] {
        let call = Call {
            uri: format!("https://email.eu-west-1.amazonaws.com/{path}"),
            is_corrected: false,
            ..Call::usual()
        };
        agree(&ours, &call);
    }
}

fn calls() -> impl Strategy<Value = Call> {
    let uri = prop_oneof![
        Just("https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails"),
        Just("https://sqs.eu-west-1.amazonaws.com"),
        Just("https://sqs.eu-west-1.amazonaws.com:443/"),
        Just("http://127.0.0.1:4566/"),
        Just("http://localhost:80/000000000000/queue-a_b"),
        Just("https://vpce-1.dynamodb.eu-west-1.vpce.amazonaws.com/?a=b"),
        Just("http://[::1]:4566/a%2Fb"),
    ];
    let name = prop_oneof![
        Just("content-type"),
        Just("content-length"),
        Just("x-amz-target"),
        Just("x-amzn-query-mode"),
        Just("x-amzn-trace-id"),
        Just("user-agent"),
        Just("x-amz-date"),
        Just("transfer-encoding"),
    ];
    let headers = prop::collection::vec((name, "[ -~]{0,20}"), 0..8);
    (
        0..4_000_000_000_u64,
        prop_oneof![Just("AKID"), Just("ASIA")],
        prop_oneof![Just("one"), Just("an/other+secret")],
        prop_oneof![Just(None), Just(Some("to/ken=="))],
        prop_oneof![Just("eu-west-1"), Just("us-gov-east-1")],
        prop_oneof![Just("ses"), Just("sqs"), Just("dynamodb")],
        uri,
        headers,
        prop::collection::vec(any::<u8>(), 0..300),
    )
        .prop_map(
            |(at, key, secret, token, region, service, uri, headers, body)| Call {
                at,
                key,
                secret,
                token,
                region,
                service,
                uri: uri.to_owned(),
                headers,
                body,
                ..Call::usual()
            },
        )
}

proptest! {
    #[test]
    fn each_call_of_one_signer_is_signed_as_the_sdk_signs_it(
        calls in prop::collection::vec(calls(), 1..6),
    ) {
        let ours = ours();
        for call in &calls {
            agree(&ours, call);
        }
    }
}
