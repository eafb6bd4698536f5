//! What the real daemon tells of itself: spans and metrics as a collector gets them, the log's
//! lines, and the health port.

mod bucket;
mod collector;
mod conventions;
mod daemon;
mod feedback;
mod health;
mod ledger;
mod numbers;
mod scene;
mod stage;
mod trees;
mod trouble;
mod variables;
mod wedged;
