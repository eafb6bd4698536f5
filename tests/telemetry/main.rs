//! What the real daemon tells of itself: spans and metrics as a collector gets them, the log's
//! lines, and the health port.

#[cfg(test)]
mod collector;
#[cfg(test)]
mod conventions;
#[cfg(test)]
mod daemon;
#[cfg(test)]
mod health;
#[cfg(test)]
mod numbers;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod trees;
#[cfg(test)]
mod trouble;
#[cfg(test)]
mod variables;
#[cfg(test)]
mod wedged;
