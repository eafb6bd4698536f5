//! The table that all tasks share, over `DynamoDB`.
//!
//! Three names of an item's attributes are reserved words, so every expression names them by
//! placeholders.

mod bodies;

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client,
    config::{Builder, endpoint::Params},
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        batch_get_item::{BatchGetItem, BatchGetItemError, BatchGetItemInput, BatchGetItemOutput},
        batch_write_item::{
            BatchWriteItem, BatchWriteItemError, BatchWriteItemInput, BatchWriteItemOutput,
        },
        delete_item::{DeleteItem, DeleteItemError, DeleteItemInput, DeleteItemOutput},
        get_item::{GetItem, GetItemError, GetItemInput, GetItemOutput},
        put_item::{PutItem, PutItemError, PutItemInput, PutItemOutput},
    },
    types::{
        AttributeValue, DeleteRequest, KeyType, KeysAndAttributes, ScalarAttributeType,
        TableDescription, TableStatus, TimeToLiveStatus, WriteRequest,
    },
};

use self::bodies::{ClaimBody, records};
use super::{
    AwsConfig,
    call::Caller,
    classify::Failure,
    clock::{ServiceClock, to_ms},
    signing::Signing,
    user_agent::UserAgent,
};
use crate::{
    ports::{
        CallError,
        table::{
            Claim, Claimed, ClockDifference, Drops, Known, LedgerTable, SentMail, TableFacts,
            TableFailure, TableFailureKind,
        },
    },
    random::random_id,
};

/// Table and rights are read only at boot and by `check`, where the SDK's own retries fit.
const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// What records sent mails.
const RECORDING: &str = "BatchWriteItem";

const ID: &str = "id";
const STATE: &str = "state";
const OWNER: &str = "owner";
const UNTIL: &str = "until";
const EMAIL_ID: &str = "email_id";
const EXPIRES: &str = "expires";

const SENDING: &str = "sending";
const SENT: &str = "sent";

type Item = HashMap<String, AttributeValue>;

/// One table. Each call but [`LedgerTable::describe`] and
/// [`LedgerTable::prove_rights`] is tried once: the ledger owns its retries.
pub struct DynamoTable {
    describing: Client,
    putting: Caller<PutItemInput, PutItemOutput, PutItemError>,
    getting: Caller<GetItemInput, GetItemOutput, GetItemError>,
    deleting: Caller<DeleteItemInput, DeleteItemOutput, DeleteItemError>,
    reading: Caller<BatchGetItemInput, BatchGetItemOutput, BatchGetItemError>,
    writing: Caller<BatchWriteItemInput, BatchWriteItemOutput, BatchWriteItemError>,
    clock: ServiceClock,
    name: String,
    keep: Duration,
}

impl DynamoTable {
    /// The table of this name. Items are kept for `keep`, and a call may take `timeout`.
    pub fn new(aws: &AwsConfig, name: String, keep: Duration, timeout: Duration) -> Self {
        let clock = ServiceClock::default();
        // Between its attempts the SDK corrects the clock itself.
        let described = Builder::from(&aws.retried(DESCRIBE_TIMEOUT)).interceptor(clock.clone());
        let config = aws.one_attempt(timeout);
        let often = Builder::from(&config).push_auth_scheme(Signing::new(clock.clone()));
        let client = Client::from_conf(often.build());
        let user_agent = UserAgent::new(&config);
        // The SDK asks for no endpoint without the table's name.
        macro_rules! caller {
            ($operation:expr, |$client:ident, $table:ident| $request:expr) => {{
                let ($client, table) = (client.clone(), name.clone());
                Caller::new::<Params, _>(&$operation, &clock, &user_agent, move |planner| {
                    let $table = table.clone();
                    $request.customize().interceptor(planner).send()
                })
            }};
        }
        let nothing = KeysAndAttributes::builder().set_keys(Some(Vec::new()));
        let nothing = nothing.build().ok();
        Self {
            describing: Client::from_conf(described.build()),
            putting: caller!(PutItem::new(), |client, table| {
                client.put_item().table_name(table)
            }),
            getting: caller!(GetItem::new(), |client, table| {
                client.get_item().table_name(table)
            }),
            deleting: caller!(DeleteItem::new(), |client, table| {
                client.delete_item().table_name(table)
            }),
            reading: caller!(BatchGetItem::new(), |client, table| {
                let named = nothing
                    .clone()
                    .map(|nothing| HashMap::from([(table, nothing)]));
                client.batch_get_item().set_request_items(named)
            }),
            writing: caller!(BatchWriteItem::new(), |client, table| {
                client.batch_write_item().request_items(table, Vec::new())
            }),
            clock,
            name,
            keep,
        }
    }

    /// The end of an item that is written now, in the table's seconds.
    fn expires_s(&self) -> i64 {
        (self.clock.now_ms() + to_ms(self.keep)) / 1000
    }

    /// What an item says, if it still says anything.
    fn known(&self, item: &Item) -> Option<Known> {
        let now = self.clock.now_ms();
        if number_of(item, EXPIRES).is_some_and(|expires| expires < now / 1000) {
            return None;
        }
        match text_of(item, STATE)? {
            SENT => Some(Known::Sent {
                email_id: text_of(item, EMAIL_ID).map(str::to_owned),
            }),
            SENDING => {
                let left = number_of(item, UNTIL)?.saturating_sub(now);
                Some(Known::Sending {
                    remaining: Duration::from_millis(u64::try_from(left).unwrap_or(0)),
                })
            }
            _ => None,
        }
    }

    async fn read(&self, keys: &[String]) -> Result<Vec<Option<Known>>, TableFailure> {
        const OPERATION: &str = "BatchGetItem";
        let mut asked = KeysAndAttributes::builder();
        for key in keys {
            asked = asked.keys(key_of(key));
        }
        let asked = asked.build().map_err(|error| unbuilt(OPERATION, error))?;
        let input = BatchGetItemInput::builder();
        let input = input.request_items(&self.name, asked).build();
        let answer = self
            .reading
            .call(input)
            .await
            .map_err(|error| Failure::new(OPERATION, error).of_table())?;
        let mut items = answer.responses.unwrap_or_default();
        let found: HashMap<String, Known> = items
            .remove(&self.name)
            .unwrap_or_default()
            .iter()
            .filter_map(|item| Some((text_of(item, ID)?.to_owned(), self.known(item)?)))
            .collect();
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn get(&self, key: &str) -> Result<Option<Known>, TableFailure> {
        let input = GetItemInput::builder()
            .table_name(&self.name)
            .set_key(Some(key_of(key)))
            .consistent_read(true)
            .build();
        let answer = self
            .getting
            .call(input)
            .await
            .map_err(|error| Failure::new("GetItem", error).of_table())?;
        Ok(answer.item.and_then(|item| self.known(&item)))
    }

    /// Records these, and returns the ids of those that were not taken.
    async fn write(&self, sent: &[SentMail]) -> Result<Vec<String>, TableFailure> {
        let input = BatchWriteItemInput::builder().build();
        let body = records(&self.name, sent, self.expires_s());
        let answer = self
            .writing
            .call_with(input, body)
            .await
            .map_err(|error| Failure::new(RECORDING, error).of_table())?;
        let mut unprocessed = answer.unprocessed_items.unwrap_or_default();
        let left = unprocessed.remove(&self.name).unwrap_or_default();
        let id = |request: WriteRequest| {
            let item = request.put_request?.item;
            text_of(&item, ID).map(str::to_owned)
        };
        Ok(left.into_iter().filter_map(id).collect())
    }

    /// Deletes a mail's item by the call that records others.
    async fn delete_in_batch(&self, key: &str) -> Result<(), TableFailure> {
        let delete = DeleteRequest::builder().set_key(Some(key_of(key))).build();
        let delete = delete.map_err(|error| unbuilt(RECORDING, error))?;
        let request = WriteRequest::builder().delete_request(delete).build();
        let input = BatchWriteItemInput::builder()
            .request_items(&self.name, vec![request])
            .build();
        self.writing
            .call(input)
            .await
            .map_err(|error| Failure::new(RECORDING, error).of_table())?;
        Ok(())
    }

    async fn delete(&self, key: &str, owners: &[String]) -> Result<(), TableFailure> {
        if owners.is_empty() {
            return Ok(());
        }
        let (listed, values) = owner_values(owners.iter().map(String::as_str));
        let input = DeleteItemInput::builder()
            .table_name(&self.name)
            .set_key(Some(key_of(key)))
            .condition_expression(format!("#state = :sending AND #owner IN ({listed})"))
            .expression_attribute_names("#state", STATE)
            .expression_attribute_names("#owner", OWNER)
            .set_expression_attribute_values(Some(values))
            .expression_attribute_values(":sending", text(SENDING))
            .build();
        match self.deleting.call(input).await {
            Ok(_) => Ok(()),
            Err(error) if is_refused_by_condition(&error) => Ok(()),
            Err(error) => Err(Failure::new("DeleteItem", error).of_table()),
        }
    }

    async fn put(&self, claim: Claim<'_>) -> Result<Claimed, TableFailure> {
        if !self.clock.is_sure() {
            // The answer tells the time, by which this claim is held against others.
            self.get(claim.key).await?;
        }
        let now = self.clock.now_ms();
        let body = ClaimBody {
            table: &self.name,
            key: claim.key,
            owner: claim.owner,
            earlier: claim.earlier,
            now,
            until: now + to_ms(claim.lasts),
            expires: self.expires_s(),
        };
        let input = PutItemInput::builder().build();
        let error = match self.putting.call_with(input, body.write()).await {
            Ok(answer) => {
                let before = answer.attributes.unwrap_or_default();
                let owner = text_of(&before, OWNER);
                let is_ours =
                    |owner| owner == claim.owner || claim.earlier.iter().any(|id| id == owner);
                return Ok(Claimed::Ours {
                    taken_over: owner.is_some_and(|owner| !is_ours(owner)),
                });
            }
            Err(error) => error,
        };
        let refused = match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refused)) => refused.item(),
            _ => return Err(Failure::new("PutItem", error).of_table()),
        };
        Ok(match refused.and_then(|item| self.known(item)) {
            Some(Known::Sent { email_id }) => Claimed::Sent { email_id },
            Some(Known::Sending { remaining }) => Claimed::Sending { remaining },
            None => Claimed::Unreadable,
        })
    }
}

#[async_trait]
impl LedgerTable for DynamoTable {
    fn name(&self) -> &str {
        &self.name
    }

    async fn describe(&self) -> Result<TableFacts, TableFailure> {
        let described = self
            .describing
            .describe_table()
            .table_name(&self.name)
            .send()
            .await
            .map_err(|error| Failure::new("DescribeTable", error).of_table())?;
        let live = self
            .describing
            .describe_time_to_live()
            .table_name(&self.name)
            .send()
            .await
            .map_err(|error| Failure::new("DescribeTimeToLive", error).of_table())?;
        let table = described
            .table
            .unwrap_or_else(|| TableDescription::builder().build());
        let live = live.time_to_live_description;
        let is_on = live
            .as_ref()
            .and_then(|live| live.time_to_live_status())
            .is_some_and(|status| {
                matches!(
                    status,
                    TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling
                )
            });
        let attribute = live.and_then(|live| live.attribute_name);
        Ok(TableFacts {
            wrong_key: wrong_key(&table),
            not_ready: table
                .table_status()
                .filter(|status| !matches!(status, TableStatus::Active | TableStatus::Updating))
                .map(|status| status.as_str().to_owned()),
            drops_by: match attribute {
                Some(attribute) if is_on && attribute == EXPIRES => Drops::Expired,
                Some(attribute) if is_on => Drops::By(attribute),
                _ => Drops::Nothing,
            },
        })
    }

    async fn prove_rights(&self) -> Vec<TableFailure> {
        // A mail that there never was: nothing is found, deleted, or written on condition that it is there.
        let key = format!("proof-{}", random_id());
        let owner = vec![random_id()];
        let put = PutItemInput::builder()
            .table_name(&self.name)
            .item(ID, text(&key))
            .condition_expression("attribute_exists(id)")
            .build();
        let (got, read, deleted, in_batch, put) = tokio::join!(
            self.get(&key),
            self.read(std::slice::from_ref(&key)),
            self.delete(&key, &owner),
            self.delete_in_batch(&key),
            self.putting.call(put),
        );
        let put = put.err().filter(|error| !is_refused_by_condition(error));
        let put = put.map(|error| Failure::new("PutItem", error).of_table());
        [got.err(), read.err(), deleted.err(), in_batch.err(), put]
            .into_iter()
            .flatten()
            .collect()
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, TableFailure> {
        self.put(claim).await
    }

    async fn drop_claim(&self, key: &str, owners: &[String]) -> Result<(), TableFailure> {
        self.delete(key, owners).await
    }

    async fn record(&self, sent: &[SentMail]) -> Result<Vec<usize>, TableFailure> {
        let left = self.write(sent).await?;
        let place = |id: String| sent.iter().position(|mail| mail.key == id);
        Ok(left.into_iter().filter_map(place).collect())
    }

    async fn look(&self, key: &str) -> Result<Option<Known>, TableFailure> {
        self.get(key).await
    }

    async fn look_at_all(&self, keys: &[String]) -> Result<Vec<Option<Known>>, TableFailure> {
        self.read(keys).await
    }

    fn clock(&self) -> Option<ClockDifference> {
        self.clock.difference()
    }
}

/// What is wrong with the table's key.
fn wrong_key(table: &TableDescription) -> Option<String> {
    let kind = |name: &str| {
        let mut attributes = table.attribute_definitions().iter();
        let found = attributes.find(|attribute| attribute.attribute_name() == name);
        found.map(|attribute| attribute.attribute_type().as_str().to_owned())
    };
    let key = table.key_schema();
    let is_right = match key {
        [only] => {
            *only.key_type() == KeyType::Hash
                && only.attribute_name() == ID
                && kind(ID).as_deref() == Some(ScalarAttributeType::S.as_str())
        }
        _ => false,
    };
    let shown = key.iter().map(|part| {
        let name = part.attribute_name();
        let kind = kind(name).unwrap_or_default();
        format!("{name} ({kind}, {})", part.key_type().as_str())
    });
    (!is_right).then(|| shown.collect::<Vec<_>>().join(" and "))
}

/// Whether a write was refused by its own condition.
fn is_refused_by_condition<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

/// These owners as the values of an expression: how it lists them, and what they are.
fn owner_values<'a>(owners: impl Iterator<Item = &'a str>) -> (String, Item) {
    let named = owners.enumerate();
    let values: Vec<_> = named
        .map(|(place, owner)| (format!(":owner{place}"), text(owner)))
        .collect();
    let listed: Vec<_> = values.iter().map(|(name, _)| name.as_str()).collect();
    (listed.join(", "), values.into_iter().collect())
}

fn key_of(key: &str) -> Item {
    HashMap::from([(ID.to_owned(), text(key))])
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn text_of<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

fn number_of(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// A request that could not be made.
fn unbuilt(
    operation: &'static str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> TableFailure {
    let error = CallError::local(operation, "request", error);
    TableFailure::new(TableFailureKind::Transient, error)
}

#[cfg(test)]
mod tests;
