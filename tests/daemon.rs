//! The real binary against the local AWS: start, work, outages, stop and exit codes.

mod boot;
mod bucket;
mod credentials;
mod events;
mod expected;
mod input;
mod obstacles;
mod outage;
mod output;
mod process;
mod signals;
mod stalls;
mod template;
mod terminal;
mod text_log;
mod usage;
mod world;
