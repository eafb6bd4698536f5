//! The local AWS is itself tested: a fake that is wrong proves nothing.

#[cfg(test)]
mod checker;
#[cfg(test)]
mod codecommit;
#[cfg(test)]
mod duplicates;
#[cfg(test)]
mod dynamodb;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod history;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod polling;
#[cfg(test)]
mod queues;
#[cfg(test)]
mod redrive;
#[cfg(test)]
mod s3;
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
mod start;
#[cfg(test)]
mod support;
#[cfg(test)]
mod wire;
