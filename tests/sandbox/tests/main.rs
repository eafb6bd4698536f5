//! The local AWS is itself tested: a fake that is wrong proves nothing.

#[path = "../mod.rs"]
#[expect(dead_code, reason = "other test binaries use the rest")]
mod sandbox;

#[cfg(test)]
#[path = "../../bench/throughput/load.rs"]
#[expect(dead_code, reason = "the benchmark uses the rest")]
mod load;

#[cfg(test)]
mod codecommit;
#[cfg(test)]
mod duplicates;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod polling;
#[cfg(test)]
mod queues;
#[cfg(test)]
mod redrive;
#[cfg(test)]
mod sdk;
#[cfg(test)]
mod sending;
#[cfg(test)]
mod ses;
#[cfg(test)]
mod settling;
#[cfg(test)]
mod sns;
#[cfg(test)]
mod support;
#[cfg(test)]
mod throughput;
#[cfg(test)]
mod wire;
