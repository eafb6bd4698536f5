//! `DynamoDB`: its tables, items, expressions and time to live.

mod sdk;
