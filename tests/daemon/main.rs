//! The real binary against the local AWS: start, work, outages, stop and exit codes.

#[cfg(test)]
mod boot;
#[cfg(test)]
mod events;
#[cfg(test)]
mod expected;
#[cfg(test)]
mod input;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod output;
#[cfg(test)]
mod process;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod template;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod world;
