//! Which connections are kept, over loopback sockets.

use std::sync::Mutex;

use tokio::io::AsyncWriteExt;
use tracing::{
    Event, Level, Metadata, Subscriber,
    span::{Attributes, Id, Record},
    subscriber::set_default,
};

use super::*;
use crate::{
    aws::SesMailer,
    ports::{Mailer, Tags},
    testing::{
        canned::{SENDER, at, key, mail},
        wire::{next_request, serving},
    },
};

/// Where the lines of log come from that are not for whoever looks for a fault.
#[derive(Clone, Default)]
struct Targets(Arc<Mutex<Vec<String>>>);

impl Subscriber for Targets {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let target = event.metadata().target().to_owned();
        self.0.lock().unwrap().push(target);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// Over how many connections two calls go that are answered so.
async fn connections(status: &'static str) -> usize {
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    let address = serving(move |mut stream: TcpStream| {
        *counted.lock().unwrap() += 1;
        async move {
            // The next connection is not taken before this one has ended.
            while next_request(&mut stream).await {
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let aws = at(&format!("http://{address}"));
    let mailer = SesMailer::new(&aws, SENDER.to_owned(), None, "q", Duration::from_secs(10));
    for _ in 0..2 {
        let key = key("tag");
        let sent = mailer.send(Box::new(mail()), Tags::of(&key)).await;
        sent.unwrap_err();
    }
    *count.lock().unwrap()
}

#[tokio::test]
async fn the_call_after_a_servers_error_goes_over_another_connection_without_a_line_of_log() {
    let targets = Targets::default();
    let _heard = set_default(targets.clone());
    for status in ["500 Error", "503 Unavailable", "504 Timeout"] {
        assert_eq!(connections(status).await, 2, "{status}");
    }
    let targets = targets.0.lock().unwrap();
    let of_the_sdk = targets.iter().filter(|target| target.starts_with("aws_"));
    assert_eq!(of_the_sdk.collect::<Vec<_>>(), [] as [&String; 0]);
}

#[tokio::test]
async fn a_refusal_keeps_its_connection() {
    assert_eq!(connections("400 Bad Request").await, 1);
}
