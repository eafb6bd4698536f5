//! Expressions: a grammar of their own, AWS's checks of what is written, and what they say of an item.

mod condition;
mod grammar;
mod lexer;
mod path;
mod placeholders;
mod projection;
mod reserved;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::http::ServiceError;
use super::errors::invalid;

pub(super) use self::condition::Condition;
pub(super) use self::placeholders::Placeholders;
pub(super) use self::projection::Projection;

/// The condition of a request, where it has one; all placeholders must be used in it. `parameter` is what the
/// operation calls it.
pub(super) fn condition(
    parameter: &str,
    source: Option<&str>,
    names: Option<BTreeMap<String, String>>,
    values: Option<Map<String, Value>>,
) -> Result<Option<Condition>, ServiceError> {
    let mut placeholders = Placeholders::read(names, values, &[(parameter, source)])?;
    let condition = read_condition(parameter, source, &mut placeholders)?;
    placeholders.all_used()?;
    Ok(condition)
}

/// The projection of a request, where it has one; all placeholders must be used in it.
pub(super) fn projection(
    source: Option<&str>,
    names: Option<BTreeMap<String, String>>,
) -> Result<Option<Projection>, ServiceError> {
    let mut placeholders = Placeholders::read(names, None, &[(PROJECTION, source)])?;
    let projection = read_projection(source, &mut placeholders)?;
    placeholders.all_used()?;
    Ok(projection)
}

/// What a scan keeps, and what it gives of that.
pub(super) fn filter_and_projection(
    filter: Option<&str>,
    projection: Option<&str>,
    names: Option<BTreeMap<String, String>>,
    values: Option<Map<String, Value>>,
) -> Result<(Option<Condition>, Option<Projection>), ServiceError> {
    let expressions = [(FILTER, filter), (PROJECTION, projection)];
    let mut placeholders = Placeholders::read(names, values, &expressions)?;
    let filter = read_condition(FILTER, filter, &mut placeholders)?;
    let projection = read_projection(projection, &mut placeholders)?;
    placeholders.all_used()?;
    Ok((filter, projection))
}

const FILTER: &str = "FilterExpression";
const PROJECTION: &str = "ProjectionExpression";

fn read_condition(
    parameter: &str,
    source: Option<&str>,
    placeholders: &mut Placeholders,
) -> Result<Option<Condition>, ServiceError> {
    source
        .map(|source| Condition::read(source, placeholders))
        .transpose()
        .map_err(|problem| invalid(format!("Invalid {parameter}: {problem}")))
}

fn read_projection(
    source: Option<&str>,
    placeholders: &mut Placeholders,
) -> Result<Option<Projection>, ServiceError> {
    source
        .map(|source| Projection::read(source, placeholders))
        .transpose()
        .map_err(|problem| invalid(format!("Invalid {PROJECTION}: {problem}")))
}
