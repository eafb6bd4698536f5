//! Creating, describing, listing and deleting tables.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::http::ServiceError;
use super::super::lock;
use super::super::sqs::ACCOUNT;
use super::DynamoDb;
use super::errors::{invalid, no_such_resource, no_such_table, refuse};
use super::request::{OfTable, check_name, limit, named, one_of, read, required, table_name};
use super::table::{Schema, Table};

const MOST_LISTED: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CreateTable {
    table_name: Option<String>,
    attribute_definitions: Option<Vec<Definition>>,
    key_schema: Option<Vec<KeyElement>>,
    billing_mode: Option<String>,
    provisioned_throughput: Option<Throughput>,
    #[serde(rename = "SSESpecification")]
    encryption: Option<Encryption>,
    tags: Option<Vec<Tag>>,
    deletion_protection_enabled: Option<bool>,
    table_class: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Definition {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct KeyElement {
    attribute_name: String,
    key_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Throughput {
    read_capacity_units: u64,
    write_capacity_units: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Encryption {
    #[serde(rename = "Enabled")]
    enabled: Option<bool>,
    #[serde(rename = "SSEType")]
    kind: Option<String>,
    #[serde(rename = "KMSMasterKeyId")]
    key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Tag {
    key: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ListTables {
    exclusive_start_table_name: Option<String>,
    limit: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ListTags {
    resource_arn: Option<String>,
    /// All tags are given at once, so that none continues.
    #[serde(rename = "NextToken")]
    _next_token: Option<String>,
}

impl DynamoDb {
    pub(super) fn create_table(&self, region: &str, request: Value) -> Result<Value, ServiceError> {
        let request: CreateTable = read(request)?;
        let name = required(request.table_name.as_deref(), "tableName")?;
        check_name(name, "tableName")?;
        let schema = request.schema()?;
        let description = request.describe(name, region, &schema, self.now_millis())?;
        let tags = request.tags.unwrap_or_default();
        let tags = tags
            .into_iter()
            .map(|Tag { key, value }| json!({ "Key": key, "Value": value }))
            .collect();
        let protected = request.deletion_protection_enabled.unwrap_or_default();
        let mut tables = lock(&self.tables);
        if tables.contains_key(name) {
            return Err(refuse(
                "ResourceInUseException",
                format!("Table already exists: {name}"),
            ));
        }
        let table = Table::new(schema, description, tags, protected);
        // It is there at once, but AWS never says so.
        let answer = table.describe("CREATING");
        tables.insert(name.to_owned(), table);
        Ok(json!({ "TableDescription": answer }))
    }

    pub(super) fn describe_table(&self, request: Value) -> Result<Value, ServiceError> {
        let request: OfTable = read(request)?;
        let name = table_name(request.table_name.as_deref())?;
        let tables = lock(&self.tables);
        let table = tables.get(name).ok_or_else(|| no_such_table(name))?;
        Ok(json!({ "Table": table.describe("ACTIVE") }))
    }

    pub(super) fn delete_table(&self, request: Value) -> Result<Value, ServiceError> {
        let request: OfTable = read(request)?;
        let name = table_name(request.table_name.as_deref())?;
        let mut tables = lock(&self.tables);
        let table = tables.get(name).ok_or_else(|| no_such_table(name))?;
        if table.deletion_protected {
            return Err(invalid(
                "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
            ));
        }
        let answer = table.describe("DELETING");
        tables.remove(name);
        Ok(json!({ "TableDescription": answer }))
    }

    pub(super) fn list_tables(&self, request: Value) -> Result<Value, ServiceError> {
        let request: ListTables = read(request)?;
        let most = limit(request.limit, MOST_LISTED)?;
        let after = request.exclusive_start_table_name.unwrap_or_default();
        let tables = lock(&self.tables);
        let mut names = tables.keys().filter(|name| **name > after);
        let listed: Vec<_> = names.by_ref().take(most).collect();
        let mut answer = json!({ "TableNames": listed });
        if names.next().is_some() {
            answer["LastEvaluatedTableName"] = json!(listed.last());
        }
        Ok(answer)
    }

    pub(super) fn list_tags(&self, request: Value) -> Result<Value, ServiceError> {
        let request: ListTags = read(request)?;
        let arn = required(request.resource_arn, "resourceArn")?;
        let tables = lock(&self.tables);
        let table = tables.get(named(&arn)).ok_or_else(no_such_resource)?;
        Ok(json!({ "Tags": table.tags }))
    }
}

impl CreateTable {
    fn schema(&self) -> Result<Schema, ServiceError> {
        let definitions = required(
            self.attribute_definitions.as_deref(),
            "attributeDefinitions",
        )?;
        let elements = required(self.key_schema.as_deref(), "keySchema")?;
        let [element] = elements else {
            return Err(invalid(
                "The sandbox has tables with a partition key alone: KeySchema must have one element.",
            ));
        };
        if one_of(
            Some(&element.key_type),
            "keySchema.1.member.keyType",
            &["HASH", "RANGE"],
        )? != "HASH"
        {
            return Err(invalid(
                "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
            ));
        }
        let name = &element.attribute_name;
        let known = |definition: &&Definition| definition.attribute_name == *name;
        let definition = definitions.iter().find(known).ok_or_else(|| {
            let defined: Vec<_> = definitions
                .iter()
                .map(|definition| definition.attribute_name.as_str())
                .collect();
            invalid(format!(
                "One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [{name}], AttributeDefinitions: [{}]",
                defined.join(", ")
            ))
        })?;
        if definitions.len() != 1 {
            return Err(invalid(
                "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
            ));
        }
        let kind = one_of(
            Some(&definition.attribute_type),
            "attributeDefinitions.1.member.attributeType",
            &["B", "N", "S"],
        )?;
        Ok(Schema {
            attribute: name.clone(),
            kind: kind.to_owned(),
        })
    }

    fn describe(
        &self,
        name: &str,
        region: &str,
        schema: &Schema,
        now_millis: u64,
    ) -> Result<Value, ServiceError> {
        let created = seconds(now_millis);
        let arn = format!("arn:aws:dynamodb:{region}:{ACCOUNT}:table/{name}");
        let (read, write) = self.throughput()?;
        let mut description = json!({
            "TableName": name,
            "TableArn": arn,
            "TableId": Uuid::new_v4().to_string(),
            "CreationDateTime": created,
            "AttributeDefinitions": [
                { "AttributeName": schema.attribute, "AttributeType": schema.kind },
            ],
            "KeySchema": [{ "AttributeName": schema.attribute, "KeyType": "HASH" }],
            "ProvisionedThroughput": {
                "NumberOfDecreasesToday": 0,
                "ReadCapacityUnits": read,
                "WriteCapacityUnits": write,
            },
            "DeletionProtectionEnabled": self.deletion_protection_enabled.unwrap_or_default(),
        });
        if self.billing_mode.as_deref() == Some("PAY_PER_REQUEST") {
            description["BillingModeSummary"] = json!({
                "BillingMode": "PAY_PER_REQUEST",
                "LastUpdateToPayPerRequestDateTime": created,
            });
        }
        if let Some(class) = self.table_class.as_deref() {
            let set = ["STANDARD", "STANDARD_INFREQUENT_ACCESS"];
            let class = one_of(Some(class), "tableClass", &set)?;
            description["TableClassSummary"] = json!({ "TableClass": class });
        }
        if let Some(encryption) = &self.encryption
            && let Some(described) = encryption.describe(region)?
        {
            description["SSEDescription"] = described;
        }
        Ok(description)
    }

    /// Read and write units, none on demand.
    fn throughput(&self) -> Result<(u64, u64), ServiceError> {
        let set = ["PROVISIONED", "PAY_PER_REQUEST"];
        let mode = one_of(self.billing_mode.as_deref(), "billingMode", &set)?;
        let wrong =
            |what: &str| invalid(format!("One or more parameter values were invalid: {what}"));
        match (mode, &self.provisioned_throughput) {
            ("PAY_PER_REQUEST", None) => Ok((0, 0)),
            ("PAY_PER_REQUEST", Some(_)) => Err(wrong(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
            )),
            (_, Some(units)) if units.read_capacity_units > 0 && units.write_capacity_units > 0 => {
                Ok((units.read_capacity_units, units.write_capacity_units))
            }
            _ => Err(wrong(
                "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
            )),
        }
    }
}

impl Encryption {
    /// Nothing where AWS's own key is used, which `DescribeTable` does not mention.
    fn describe(&self, region: &str) -> Result<Option<Value>, ServiceError> {
        one_of(self.kind.as_deref(), "sSESpecification.sSEType", &["KMS"])?;
        if !self.enabled.unwrap_or_default() {
            return if self.key.is_none() {
                Ok(None)
            } else {
                Err(invalid(
                    "One or more parameter values were invalid: KMSMasterKeyId can only be specified if SSEType is KMS",
                ))
            };
        }
        let key = self.key.as_deref().unwrap_or("alias/aws/dynamodb");
        let key = if key.starts_with("arn:") {
            key.to_owned()
        } else {
            format!("arn:aws:kms:{region}:{ACCOUNT}:{key}")
        };
        Ok(Some(json!({
            "Status": "ENABLED",
            "SSEType": "KMS",
            "KMSMasterKeyArn": key,
        })))
    }
}

/// As the wire has times.
fn seconds(millis: u64) -> f64 {
    std::time::Duration::from_millis(millis).as_secs_f64()
}
