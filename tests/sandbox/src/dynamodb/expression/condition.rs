//! Conditions: AWS's checks of what is written, and whether an item meets it.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::super::number::Number;
use super::super::value::{Attribute, Item};
use super::grammar::{self, Comparator, Node};
use super::path::Path;
use super::placeholders::{Placeholders, check_parts};

/// Values in one list behind `IN`.
const MOST_IN: usize = 100;

const KINDS: [&str; 10] = ["B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M"];

/// A condition that an item can be held against.
#[derive(Debug)]
pub(in super::super) enum Condition {
    /// A comparison of two values.
    Compare(Comparator, Operand, Operand),
    /// A value, its lower and its upper bound, both included.
    Between(Operand, Operand, Operand),
    /// A value that equals one of others.
    In(Operand, Vec<Operand>),
    /// Something stands there.
    Exists(Path),
    /// What stands there is of this type.
    Kind(Path, String),
    /// A text or a binary and its beginning.
    BeginsWith(Operand, Operand),
    /// A text, a binary, a set or a list and what is in it.
    Contains(Operand, Operand),
    /// The other way round.
    Not(Box<Condition>),
    /// All of them.
    And(Vec<Condition>),
    /// One of them.
    Or(Vec<Condition>),
}

/// Where a value comes from.
#[derive(Debug)]
pub(in super::super) enum Operand {
    /// The item.
    Path(Path),
    /// The request.
    Value(Attribute),
    /// The length of another.
    Size(Box<Operand>),
}

/// Where a function may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Condition,
    Operand,
}

impl Condition {
    /// Reads an expression; the error is AWS's text.
    pub(super) fn read(source: &str, placeholders: &mut Placeholders) -> Result<Self, String> {
        let written = grammar::condition(source)?;
        check(&written, Place::Condition)?;
        resolve(&written, placeholders)
    }

    /// Whether the item meets it. What is not there equals nothing and has no order.
    pub(in super::super) fn meets(&self, item: &Item) -> bool {
        match self {
            Self::Compare(comparator, left, right) => {
                compares(*comparator, left.of(item), right.of(item))
            }
            Self::Between(value, low, high) => {
                let value = value.of(item);
                compares(Comparator::GreaterOrEqual, value.clone(), low.of(item))
                    && compares(Comparator::LessOrEqual, value, high.of(item))
            }
            Self::In(value, list) => list
                .iter()
                .any(|other| compares(Comparator::Equal, value.of(item), other.of(item))),
            Self::Exists(path) => path.find(item).is_some(),
            Self::Kind(path, kind) => path.find(item).is_some_and(|value| value.kind() == kind),
            Self::BeginsWith(value, start) => both(value.of(item), start.of(item))
                .is_some_and(|(value, start)| value.begins_with(&start)),
            Self::Contains(value, part) => both(value.of(item), part.of(item))
                .is_some_and(|(value, part)| value.contains(&part)),
            Self::Not(condition) => !condition.meets(item),
            Self::And(all) => all.iter().all(|condition| condition.meets(item)),
            Self::Or(all) => all.iter().any(|condition| condition.meets(item)),
        }
    }
}

impl Operand {
    fn of<'a>(&'a self, item: &'a Item) -> Option<Cow<'a, Attribute>> {
        match self {
            Self::Path(path) => path.find(item).map(Cow::Borrowed),
            Self::Value(value) => Some(Cow::Borrowed(value)),
            Self::Size(of) => {
                let length = u64::try_from(of.of(item)?.length()?).ok()?;
                Some(Cow::Owned(Attribute::N(Number::from(length))))
            }
        }
    }

    /// The type that it has whatever the item holds.
    fn known_kind(&self) -> Option<&'static str> {
        match self {
            Self::Path(_) => None,
            Self::Value(value) => Some(value.kind()),
            Self::Size(_) => Some("N"),
        }
    }
}

type Found<'a> = Option<Cow<'a, Attribute>>;

fn both<'a>(one: Found<'a>, other: Found<'a>) -> Option<(Cow<'a, Attribute>, Cow<'a, Attribute>)> {
    one.zip(other)
}

fn compares(comparator: Comparator, left: Found<'_>, right: Found<'_>) -> bool {
    let Some((left, right)) = both(left, right) else {
        return comparator == Comparator::NotEqual;
    };
    let order = || left.order(&right);
    match comparator {
        Comparator::Equal => left == right,
        Comparator::NotEqual => left != right,
        Comparator::Less => order().is_some_and(Ordering::is_lt),
        Comparator::LessOrEqual => order().is_some_and(Ordering::is_le),
        Comparator::Greater => order().is_some_and(Ordering::is_gt),
        Comparator::GreaterOrEqual => order().is_some_and(Ordering::is_ge),
    }
}

/// AWS's first look, from left to right: reserved words, functions and where they stand.
fn check(node: &Node, place: Place) -> Result<(), String> {
    match node {
        Node::Path(parts) => check_parts(parts),
        Node::Value(_) => Ok(()),
        Node::Call {
            function,
            arguments,
        } => {
            let (own_place, operands) = match function.as_str() {
                "attribute_exists" | "attribute_not_exists" => (Place::Condition, 1),
                "attribute_type" | "begins_with" | "contains" => (Place::Condition, 2),
                "size" => (Place::Operand, 1),
                _ => return Err(format!("Invalid function name; function: {function}")),
            };
            if place != own_place {
                return Err(format!(
                    "The function is not allowed to be used this way in an expression; function: {function}"
                ));
            }
            if arguments.len() != operands {
                return Err(format!(
                    "Incorrect number of operands for operator or function; operator or function: {function}, number of operands: {}",
                    arguments.len()
                ));
            }
            check_all(arguments, Place::Operand)
        }
        Node::Compare { left, right, .. } => {
            check(left, Place::Operand)?;
            check(right, Place::Operand)
        }
        Node::Between { value, low, high } => {
            check(value, Place::Operand)?;
            check(low, Place::Operand)?;
            check(high, Place::Operand)
        }
        Node::In { value, list } => {
            check(value, Place::Operand)?;
            check_all(list, Place::Operand)
        }
        Node::Not(condition) => check(condition, Place::Condition),
        Node::And(all) | Node::Or(all) => check_all(all, Place::Condition),
    }
}

fn check_all(nodes: &[Node], place: Place) -> Result<(), String> {
    nodes.iter().try_for_each(|node| check(node, place))
}

/// AWS's second look: placeholders, and the types of what the request gives.
fn resolve(node: &Node, placeholders: &mut Placeholders) -> Result<Condition, String> {
    let mut resolve_all = |all: &[Node]| {
        all.iter()
            .map(|node| resolve(node, placeholders))
            .collect::<Result<Vec<_>, _>>()
    };
    match node {
        Node::And(all) => resolve_all(all).map(Condition::And),
        Node::Or(all) => resolve_all(all).map(Condition::Or),
        Node::Not(condition) => {
            let condition = resolve(condition, placeholders)?;
            Ok(Condition::Not(Box::new(condition)))
        }
        Node::Compare {
            comparator,
            left,
            right,
        } => {
            let left = operand(left, placeholders)?;
            let right = operand(right, placeholders)?;
            let written = comparator.written();
            check_distinct(written, &left, [&right])?;
            if !matches!(comparator, Comparator::Equal | Comparator::NotEqual) {
                check_kinds(written, [&left, &right], &["S", "N", "B"])?;
            }
            Ok(Condition::Compare(*comparator, left, right))
        }
        Node::Between { value, low, high } => {
            let value = operand(value, placeholders)?;
            let low = operand(low, placeholders)?;
            let high = operand(high, placeholders)?;
            check_distinct("BETWEEN", &value, [&low, &high])?;
            check_kinds("BETWEEN", [&value, &low, &high], &["S", "N", "B"])?;
            check_bounds(&low, &high)?;
            Ok(Condition::Between(value, low, high))
        }
        Node::In { value, list } => {
            let value = operand(value, placeholders)?;
            let list = operands(list, placeholders)?;
            if list.len() > MOST_IN {
                return Err(format!(
                    "The IN operator is provided with too many operands; number of operands: {}",
                    list.len()
                ));
            }
            check_distinct("IN", &value, &list)?;
            Ok(Condition::In(value, list))
        }
        Node::Call {
            function,
            arguments,
        } => call(function, operands(arguments, placeholders)?),
        // The grammar lets neither stand where a condition does.
        Node::Path(_) | Node::Value(_) => Err("Syntax error".to_owned()),
    }
}

fn call(function: &str, arguments: Vec<Operand>) -> Result<Condition, String> {
    let mut arguments = arguments.into_iter();
    let (Some(first), second) = (arguments.next(), arguments.next()) else {
        return Err("Syntax error".to_owned());
    };
    if let Some(second) = &second {
        check_distinct(function, &first, [second])?;
    }
    match (function, first, second) {
        ("attribute_exists", Operand::Path(path), _) => Ok(Condition::Exists(path)),
        ("attribute_not_exists", Operand::Path(path), _) => {
            Ok(Condition::Not(Box::new(Condition::Exists(path))))
        }
        ("attribute_type", Operand::Path(path), Some(kind)) => match kind {
            Operand::Value(Attribute::S(kind)) if KINDS.contains(&kind.as_str()) => {
                Ok(Condition::Kind(path, kind))
            }
            Operand::Value(Attribute::S(kind)) => Err(format!(
                "Invalid attribute type name found; type: {kind}, valid types: {{{}}}",
                KINDS.join(",")
            )),
            other => {
                let any = "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}";
                let kind = other.known_kind().unwrap_or(any);
                Err(wrong_kind(function, kind))
            }
        },
        ("begins_with", value, Some(start)) => {
            check_kinds(function, [&value, &start], &["S", "B"])?;
            Ok(Condition::BeginsWith(value, start))
        }
        ("contains", value, Some(part)) => Ok(Condition::Contains(value, part)),
        _ => Err(format!(
            "Operator or function requires a document path; operator or function: {function}"
        )),
    }
}

fn operand(node: &Node, placeholders: &mut Placeholders) -> Result<Operand, String> {
    match node {
        Node::Path(parts) => placeholders.path(parts).map(Operand::Path),
        Node::Value(key) => placeholders.value(key).map(Operand::Value),
        Node::Call { arguments, .. } => {
            let of = operands(arguments, placeholders)?.pop();
            let of = of.ok_or_else(|| "Syntax error".to_owned())?;
            let measurable = ["S", "B", "SS", "NS", "BS", "L", "M"];
            check_kinds("size", [&of], &measurable)?;
            Ok(Operand::Size(Box::new(of)))
        }
        // The grammar lets no other stand where a value does.
        _ => Err("Syntax error".to_owned()),
    }
}

fn operands(nodes: &[Node], placeholders: &mut Placeholders) -> Result<Vec<Operand>, String> {
    nodes
        .iter()
        .map(|node| operand(node, placeholders))
        .collect()
}

fn check_distinct<'a>(
    operator: &str,
    first: &Operand,
    others: impl IntoIterator<Item = &'a Operand>,
) -> Result<(), String> {
    let Operand::Path(first) = first else {
        return Ok(());
    };
    let same = |other: &Operand| matches!(other, Operand::Path(other) if other == first);
    if others.into_iter().any(same) {
        return Err(format!(
            "The first operand must be distinct from the remaining operands for this operator or function; operator: {operator}, first operand: {first}"
        ));
    }
    Ok(())
}

fn check_kinds<const N: usize>(
    operator: &str,
    operands: [&Operand; N],
    allowed: &[&str],
) -> Result<(), String> {
    let mut known = operands.iter().filter_map(|operand| operand.known_kind());
    match known.find(|kind| !allowed.contains(kind)) {
        Some(kind) => Err(wrong_kind(operator, kind)),
        None => Ok(()),
    }
}

fn wrong_kind(operator: &str, kind: &str) -> String {
    format!(
        "Incorrect operand type for operator or function; operator or function: {operator}, operand type: {kind}"
    )
}

fn check_bounds(low: &Operand, high: &Operand) -> Result<(), String> {
    let (Operand::Value(low), Operand::Value(high)) = (low, high) else {
        return Ok(());
    };
    let wanted = match low.order(high) {
        Some(Ordering::Greater) => "upper bound to be greater than or equal to lower bound",
        Some(_) => return Ok(()),
        None => "same data type for lower and upper bounds",
    };
    Err(format!(
        "The BETWEEN operator requires {wanted}; lower bound operand: {}, upper bound operand: {}",
        shown(low),
        shown(high)
    ))
}

fn shown(value: &Attribute) -> String {
    let kind = value.kind();
    match value {
        Attribute::S(text) => format!("AttributeValue: {{{kind}:{text}}}"),
        Attribute::N(number) => format!("AttributeValue: {{{kind}:{number}}}"),
        _ => format!("AttributeValue: {{{kind}}}"),
    }
}
