//! Everything that needs the real binary, in one binary of tests: the daemon, the other commands,
//! what it tells of itself, and the fault campaign in short. Beside it the eye of the benchmark.

#[cfg(test)]
mod bench;
#[cfg(test)]
mod campaign;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod daemon;
#[cfg(test)]
mod telemetry;
