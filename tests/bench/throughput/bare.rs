//! The bare loop: what the SDK can do with nothing around it. Its clients have their defaults, and so
//! has its runtime unless one thread is asked for. It
//! sends one ready mail for every message, and never looks at an error.

use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_sesv2::types::{
    Body, Content, Destination, EmailContent, Message, MessageHeader, MessageTag,
};
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::mails;

const BATCH: usize = 10;
/// Receives under way, so that there is always a message to send.
const RECEIVES: usize = 2;
/// How long deletes wait for company.
const COMPANY: Duration = Duration::from_millis(25);

/// Works on the queue until it is killed, with so many sends under way.
pub(crate) fn run(queue_url: String, concurrency: usize, one_thread: bool) -> anyhow::Result<()> {
    let mut runtime = if one_thread {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let runtime = runtime.enable_all().build()?;
    // The thread that blocks is no worker of the runtime: what ran there would be woken across threads.
    let working = runtime.spawn(work(queue_url, concurrency));
    runtime.block_on(working)?
}

async fn work(queue_url: String, concurrency: usize) -> anyhow::Result<()> {
    let config = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    let sqs = aws_sdk_sqs::Client::new(&config);
    let ses = aws_sdk_sesv2::Client::new(&config);
    let content = mail()?;
    let (received, mut messages) = mpsc::channel(BATCH);
    let (sent, to_delete) = mpsc::channel(concurrency);
    for _ in 0..RECEIVES {
        tokio::spawn(receive(sqs.clone(), queue_url.clone(), received.clone()));
    }
    tokio::spawn(delete(sqs, queue_url, to_delete));
    let slots = Arc::new(Semaphore::new(concurrency));
    while let Some(receipt) = messages.recv().await {
        let slot = Arc::clone(&slots).acquire_owned().await?;
        let (ses, content, sent) = (ses.clone(), content.clone(), sent.clone());
        tokio::spawn(async move {
            send(&ses, content).await?;
            drop(slot);
            sent.send(receipt).await?;
            anyhow::Ok(())
        });
    }
    Ok(())
}

async fn receive(
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
    received: mpsc::Sender<String>,
) -> anyhow::Result<()> {
    loop {
        let answer = sqs
            .receive_message()
            .queue_url(&queue_url)
            .max_number_of_messages(10)
            .wait_time_seconds(20)
            .send()
            .await?;
        for message in answer.messages.unwrap_or_default() {
            received
                .send(message.receipt_handle.unwrap_or_default())
                .await?;
        }
    }
}

async fn send(ses: &aws_sdk_sesv2::Client, content: EmailContent) -> anyhow::Result<()> {
    let tag = MessageTag::builder()
        .name("notification-id")
        .value("00000000-832f-43f0-bfd6-28e110b66b3f");
    ses.send_email()
        .from_email_address(mails::SENDER)
        .destination(
            Destination::builder()
                .to_addresses("organizer0@example.com")
                .build(),
        )
        .email_tags(tag.build()?)
        .content(content)
        .send()
        .await?;
    Ok(())
}

async fn delete(
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
    mut sent: mpsc::Receiver<String>,
) -> anyhow::Result<()> {
    let mut receipts = Vec::new();
    loop {
        let full = match timeout(COMPANY, sent.recv()).await {
            Ok(Some(receipt)) => {
                receipts.push(receipt);
                receipts.len() == BATCH
            }
            Ok(None) => return Ok(()),
            // The last ones of a run are fewer.
            Err(_elapsed) => !receipts.is_empty(),
        };
        if !full {
            continue;
        }
        let entries: Result<_, _> = receipts
            .drain(..)
            .enumerate()
            .map(|(id, receipt)| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(id.to_string())
                    .receipt_handle(receipt)
                    .build()
            })
            .collect();
        let batch = sqs
            .delete_message_batch()
            .queue_url(&queue_url)
            .set_entries(Some(entries?));
        tokio::spawn(batch.send());
    }
}

/// A mail like those that the daemon sends, headers and charset included.
fn mail() -> anyhow::Result<EmailContent> {
    let utf8 = |data: String| Content::builder().data(data).charset("UTF-8").build();
    let (html, text) = mails::bodies(0);
    let body = Body::builder().html(utf8(html)?).text(utf8(text)?).build();
    let automatic = MessageHeader::builder()
        .name("Auto-Submitted")
        .value("auto-generated")
        .build()?;
    let message = Message::builder()
        .subject(utf8("Registered: Planning & review <0>".to_owned())?)
        .body(body)
        .headers(automatic)
        .build();
    Ok(EmailContent::builder().simple(message).build())
}
