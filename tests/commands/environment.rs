//! What the AWS SDK reads by itself: certificates, variables, profiles, proxies.

use crate::commands::network::{PrivateTls, Proxy};
use crate::commands::stage::{Done, Stage, directory, finish, path};

const NO_FILE: &str = "/nonexistent.pem";
const NO_ROOTS: &str = "not started: no CA certificates: SSL_CERT_FILE is `/nonexistent.pem`, which \
    cannot be read: No such file or directory (os error 2); install ca-certificates or set \
    SSL_CERT_FILE";

/// A right set-up on a machine without certificates.
async fn without_certificates() -> Stage {
    let mut stage = Stage::right().await;
    stage.set("SSL_CERT_FILE", NO_FILE);
    stage.set("SSL_CERT_DIR", "/nonexistent");
    stage
}

/// A right set-up without credentials but those of a profile of this file.
async fn with_profile(config: &str, name: &str) -> (Stage, tempfile::TempDir) {
    let files = directory(&[("config", config)]);
    let mut stage = Stage::right().await;
    for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        stage.set(variable, "");
    }
    stage.set("AWS_CONFIG_FILE", &path(&files, "config"));
    stage.set("AWS_PROFILE", name);
    stage.set("HOME", &path(&files, ""));
    stage.set("AWS_EC2_METADATA_DISABLED", "true");
    (stage, files)
}

/// `check` is refused as a use with this text, and nothing was asked.
#[track_caller]
fn refused(done: &Done, text: &str) {
    done.exits(64);
    assert!(done.err.contains(text), "{text}\n{done}");
}

#[tokio::test]
async fn without_ca_certificates_every_command_says_so_and_names_the_file() {
    let mut stage = without_certificates().await;
    stage.set("AWS_ENDPOINT_URL", "");
    let queue = "https://sqs.us-east-1.amazonaws.com/000000000000/created";
    for arguments in [
        &["check"][..],
        &["render"],
        &["triage", "--queue-url", queue],
        &["run", "--set", "health.listen=off"],
    ] {
        let done = stage.run(arguments).await;
        done.exits(1);
        assert!(done.err.contains(NO_ROOTS), "{done}");
        assert_eq!(done.err.lines().count(), 1, "{done}");
        let is_logged = done.err.contains("\"level\":\"ERROR\"");
        assert_eq!(is_logged, arguments[0] == "run", "{done}");
    }
}

#[tokio::test]
async fn without_ca_certificates_what_needs_no_tls_works() {
    let stage = without_certificates().await;
    stage.run(&["check"]).await.exits(0);
    let files = directory(&[("t.html", "<p>{summary}</p>")]);
    let mut stage = without_certificates().await;
    stage.set("AWS_ENDPOINT_URL", "");
    let template = path(&files, "t.html");
    stage
        .run(&["render", "--template", &template])
        .await
        .exits(0);
}

#[tokio::test]
async fn without_ca_certificates_an_encrypted_collector_is_refused_with_the_remedy() {
    let mut stage = without_certificates().await;
    stage.set("OTEL_EXPORTER_OTLP_ENDPOINT", "https://localhost:1");
    for protocol in ["grpc", "http/protobuf"] {
        stage.set("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
        let done = stage.run(&["run", "--set", "health.listen=off"]).await;
        done.exits(1);
        assert!(done.err.contains(NO_ROOTS), "{done}");
        assert!(
            done.err.contains("OTEL_EXPORTER_OTLP_CERTIFICATE"),
            "{done}"
        );
    }
}

#[tokio::test]
async fn a_region_is_checked_whatever_its_source() {
    let mut stage = Stage::right().await;
    stage.set("REGION", "");
    stage.set("AWS_EC2_METADATA_DISABLED", "true");
    for variable in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        for (value, shown) in [
            ("'us-east-1'", "`\\'us-east-1\\'`"),
            ("us-east-1\n", "`us-east-1\\n`"),
            ("us east 1", "`us east 1`"),
        ] {
            stage.set(variable, value);
            let text =
                format!("{variable} is {shown}; allowed: an AWS region, such as `eu-central-1`");
            refused(&stage.run(&["check"]).await, &text);
        }
        stage.set(variable, "us-east-1");
        stage.run(&["check"]).await.exits(0);
        stage.set(variable, "");
    }
    let (mut stage, _files) = with_profile("[default]\nregion = \"us-east-1\"\n", "").await;
    stage.set("REGION", "");
    let text = "region of the AWS profile `default` is `\\\"us-east-1\\\"`; allowed: an AWS region";
    refused(&stage.run(&["check"]).await, text);
}

#[tokio::test]
async fn an_empty_variable_of_the_sdks_counts_as_unset() {
    let keys = "aws_access_key_id = local\naws_secret_access_key = local\n";
    let config = format!("[default]\nregion = us-east-1\n{keys}");
    let (mut stage, _files) = with_profile(&config, "").await;
    stage.set("REGION", "");
    let mut command = stage.command(&["check"]);
    for name in [
        "AWS_REGION",
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL_SQS",
        "AWS_CA_BUNDLE",
    ] {
        command.env(name, "");
    }
    let done = finish(command, "").await;
    done.exits(0);
    assert_eq!(done.finding("region"), "region ok us-east-1", "{done}");
    // The profile names none either, and `AWS_REGION` is empty, not a region.
    let (mut stage, _files) = with_profile(&format!("[default]\n{keys}"), "").await;
    stage.set("REGION", "");
    let mut command = stage.command(&["run"]);
    command.env("AWS_REGION", "");
    refused(
        &finish(command, "").await,
        "no AWS region: set REGION, aws.region or AWS_REGION",
    );
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_one_is_refused_whatever_its_source() {
    let mut stage = Stage::right().await;
    let endpoint = format!("\"{}\"", stage.aws.url());
    for variable in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_CODECOMMIT"] {
        for (value, text) in [
            ("127.0.0.1:4566", "is `"),
            (endpoint.as_str(), "is in quotes; the variable takes none"),
        ] {
            let mut command = stage.command(&["check"]);
            command.env(variable, value);
            let done = finish(command, "").await;
            refused(&done, &format!("  {variable}: {text}"));
            assert!(
                done.err.contains("; allowed: `http://` or `https://`"),
                "{done}"
            );
        }
    }
    for variable in ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"] {
        stage.set(variable, "true");
        let text = format!("AWS_ENDPOINT_URL and {variable} are both set");
        refused(&stage.run(&["check"]).await, &text);
        stage.set(variable, "");
    }
    let config =
        "[default]\nservices = here\n[services here]\nsqs =\n  endpoint_url = localhost:1\n";
    let (mut stage, _files) = with_profile(config, "").await;
    stage.set("AWS_ENDPOINT_URL", "");
    let text =
        "endpoint_url of the AWS profile `default` is `localhost:1`, which does not begin with";
    refused(&stage.run(&["check"]).await, text);
}

#[tokio::test]
async fn a_profile_that_is_not_there_is_named_with_the_files() {
    let (mut stage, files) = with_profile("[profile some]\nregion = us-east-1\n", "nope").await;
    let text = format!(
        "AWS_PROFILE is `nope`, and no profile of this name is in {} (AWS_CONFIG_FILE) or \
         ~/.aws/credentials",
        path(&files, "config")
    );
    refused(&stage.run(&["check"]).await, &text);
    stage.set("AWS_CONFIG_FILE", "/nonexistent/config");
    refused(
        &stage.run(&["check"]).await,
        "AWS_CONFIG_FILE is `/nonexistent/config`, which cannot be read: No such file",
    );
    let (stage, _files) = with_profile("[profile some\n", "").await;
    let done = stage.run(&["check"]).await;
    refused(&done, "the AWS profiles cannot be read (");
    assert!(
        done.err
            .contains("on line 1: Profile definition must end with"),
        "{done}"
    );
    assert_eq!(done.err.lines().count(), 1, "{done}");
}

#[tokio::test]
async fn a_profile_based_on_one_that_is_not_there_is_refused_with_both_names() {
    let profile =
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = gone\n";
    let (mut stage, _files) = with_profile(profile, "role").await;
    let text =
        "source_profile of the AWS profile `role` is `gone`, and no profile of this name is in ";
    refused(&stage.run(&["check"]).await, text);
    // Keys in variables beat the profile.
    for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        stage.set(variable, "local");
    }
    stage.run(&["check"]).await.exits(0);
}

#[tokio::test]
async fn what_the_sdk_would_panic_over_in_a_profile_or_a_key_is_refused() {
    for (line, text) in [
        (
            "retry_mode = legacy",
            "retry_mode of the AWS profile `default` is `legacy`, which the AWS SDK refuses",
        ),
        (
            "max_attempts = 0",
            "max_attempts of the AWS profile `default` is `0`, which the AWS SDK refuses",
        ),
    ] {
        let (stage, _files) = with_profile(&format!("[default]\n{line}\n"), "").await;
        refused(&stage.run(&["check"]).await, text);
    }
    for variable in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ] {
        let mut stage = Stage::right().await;
        stage.set(variable, "hidden\r");
        let done = stage.run(&["check"]).await;
        refused(
            &done,
            &format!("{variable}: contains a space, a line end or a quote"),
        );
        assert!(!done.err.contains("hidden"), "{done}");
    }
}

#[tokio::test]
async fn the_default_profile_need_not_be_there_and_a_name_in_quotes_is_told_as_that() {
    let mut stage = Stage::right().await;
    stage.set("AWS_PROFILE", "default");
    stage.set("HOME", "/nonexistent");
    stage.run(&["check"]).await.exits(0);
    stage.set("AWS_PROFILE", "\"prod\"");
    let text = "AWS_PROFILE: is in quotes; the variable takes none";
    refused(&stage.run(&["check"]).await, text);
}

#[tokio::test]
async fn half_a_pair_of_keys_is_refused() {
    let mut stage = Stage::right().await;
    stage.set("AWS_SECRET_ACCESS_KEY", "");
    let text =
        "AWS_SECRET_ACCESS_KEY: is not set, and AWS_ACCESS_KEY_ID is; allowed: both, or neither";
    refused(&stage.run(&["check"]).await, text);
}

#[tokio::test]
async fn a_private_ca_is_trusted_where_a_variable_or_the_profile_names_its_file() {
    let (mut stage, files) = with_profile("[default]\n", "").await;
    for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        stage.set(variable, "local");
    }
    let tls = PrivateTls::before(stage.aws.url(), "http/1.1").await;
    stage.set("AWS_ENDPOINT_URL", &tls.url());
    let stranger = stage.run(&["check"]).await;
    stranger.exits(1);
    assert!(
        stranger
            .out
            .contains("the certificate of the AWS endpoint is not trusted"),
        "{stranger}"
    );
    stage.set("AWS_CA_BUNDLE", &tls.ca());
    stage.run(&["check"]).await.exits(0);
    // It alone is trusted, so that the machine's certificates may be missing.
    stage.set("SSL_CERT_FILE", NO_FILE);
    stage.run(&["check"]).await.exits(0);
    stage.set("SSL_CERT_FILE", "");
    let of_profile = format!("[default]\nca_bundle = {}\n", tls.ca());
    std::fs::write(files.path().join("config"), of_profile).unwrap();
    stage.set("AWS_CA_BUNDLE", "");
    stage.run(&["check"]).await.exits(0);
    // The variable beats the profile.
    stage.set("AWS_CA_BUNDLE", NO_FILE);
    let text = "AWS_CA_BUNDLE is `/nonexistent.pem`, which cannot be read: No such file";
    refused(&stage.run(&["check"]).await, text);
    stage.set("AWS_CA_BUNDLE", &path(&files, "config"));
    refused(
        &stage.run(&["check"]).await,
        "`, which holds no certificate in PEM",
    );
    stage.set("AWS_CA_BUNDLE", "");
    std::fs::write(
        files.path().join("config"),
        "[default]\nca_bundle = /none\n",
    )
    .unwrap();
    let text = "ca_bundle of the AWS profile `default` is `/none`, which cannot be read";
    refused(&stage.run(&["check"]).await, text);
}

#[tokio::test]
async fn credentials_of_a_program_are_taken_and_what_it_says_wrongly_is_told() {
    let keys = r#"{"Version": 1, "AccessKeyId": "local", "SecretAccessKey": "local"}"#;
    let files = directory(&[("keys.json", keys)]);
    let config = format!(
        "[profile p]\ncredential_process = cat {}\n",
        path(&files, "keys.json")
    );
    let (stage, _files) = with_profile(&config, "p").await;
    let mut command = stage.command(&["check"]);
    command.env("PATH", std::env::var_os("PATH").unwrap());
    finish(command, "").await.exits(0);
    // What it writes besides may be anything.
    let config = "[profile p]\ncredential_process = /bin/sh -c 'echo hunter2 >&2; exit 3'\n";
    let (stage, _files) = with_profile(config, "p").await;
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let finding = done.finding("credentials");
    assert!(
        finding.contains("external process exited with code exit status: 3"),
        "{finding}"
    );
    assert!(!finding.contains("hunter2"), "{finding}");
}

#[tokio::test]
async fn a_profile_whose_session_has_ended_says_how_to_renew_it() {
    let sso = "[profile corp]\nsso_session = corp\nsso_account_id = 123456789012\n\
        sso_role_name = Dev\nregion = us-east-1\n\
        [profile child]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = corp\n\
        [sso-session corp]\nsso_start_url = https://example.awsapps.com/start\n\
        sso_region = us-east-1\n\
        [profile person]\nlogin_session = arn:aws:iam::123456789012:user/dev\n";
    for (profile, cause, remedy) in [
        (
            "corp",
            "failed to load the cached SSO token",
            "run `aws sso login --profile corp`",
        ),
        (
            "child",
            "failed to load the cached SSO token",
            "run `aws sso login --profile corp`",
        ),
        (
            "person",
            ".aws/login/cache/",
            "run `aws login --profile person`",
        ),
    ] {
        let (stage, _files) = with_profile(sso, profile).await;
        let done = stage.run(&["check"]).await;
        done.exits(1);
        let finding = done.finding("credentials");
        assert!(finding.starts_with("credentials failed "), "{finding}");
        assert!(
            finding.contains(cause) && finding.contains(remedy),
            "{finding}"
        );
    }
}

#[tokio::test]
async fn a_queue_of_a_private_endpoint_is_asked_there() {
    for host in [
        "vpce-0a1b2c3d4e5f-abcdefgh.sqs.us-east-1.vpce.amazonaws.com",
        "sqs.us-east-1.api.aws",
    ] {
        let proxy = Proxy::start().await;
        let mut stage = Stage::right().await;
        let url = stage.aws.url().to_owned();
        stage.set("AWS_ENDPOINT_URL", "");
        for service in ["SESV2", "CODECOMMIT"] {
            stage.set(&format!("AWS_ENDPOINT_URL_{service}"), &url);
        }
        let queue = format!("https://{host}/000000000000/created");
        stage.set("SQS_URL", &queue);
        stage.set("HTTPS_PROXY", &proxy.url);
        stage.set("AWS_MAX_ATTEMPTS", "1");
        stage.run(&["check"]).await.exits(1);
        let by_check = proxy.asked();
        stage.run(&["triage", "--queue-url", &queue]).await.exits(1);
        let asked = proxy.asked();
        assert!(
            asked.len() > by_check.len() && by_check.len() > 1,
            "{asked:?}"
        );
        let connect = format!("CONNECT {host}:443 HTTP/1.1");
        assert!(asked.iter().all(|line| *line == connect), "{asked:?}");
    }
}

#[tokio::test]
async fn a_proxy_is_never_asked_for_this_machine() {
    let proxy = Proxy::start().await;
    let mut stage = Stage::right().await;
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        stage.set(name, &proxy.url);
    }
    stage.run(&["check"]).await.exits(0);
    assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());
    // Nor for the role's credentials, which are nowhere on this machine.
    for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        stage.set(variable, "");
    }
    stage.set("AWS_EC2_METADATA_DISABLED", "true");
    stage.set(
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "/v2/credentials/abc",
    );
    stage.run(&["check"]).await.exits(1);
    assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());
    // All others are asked through it.
    stage.set("AWS_ACCESS_KEY_ID", "local");
    stage.set("AWS_SECRET_ACCESS_KEY", "local");
    stage.set("AWS_ENDPOINT_URL_SESV2", "http://ses.example.com");
    stage.set("AWS_MAX_ATTEMPTS", "1");
    stage.run(&["check"]).await.exits(1);
    let asked = proxy.asked();
    assert!(!asked.is_empty(), "{asked:?}");
    assert!(
        asked
            .iter()
            .all(|line| line.contains("http://ses.example.com")),
        "{asked:?}"
    );
}
