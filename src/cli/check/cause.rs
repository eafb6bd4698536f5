//! Why nobody looked at a call, so that one cause is told once.

use std::mem::discriminant;

use crate::{
    aws::{Endpoints, classify::refusal_kind},
    ports::{CallError, inspect::RefusalKind, obstacle::Obstacle},
};

/// What kept a call to a service from being looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    /// Absent where no answer came and nothing tells why.
    obstacle: Option<Obstacle>,
    /// By its name in IAM's actions.
    service: String,
}

impl Cause {
    /// That of a refused call, if nobody looked at it. The IAM action names the service.
    pub(super) fn of(action: &str, error: &CallError) -> Option<Self> {
        let obstacle = match refusal_kind(error) {
            RefusalKind::Credentials(obstacle) => Some(obstacle),
            RefusalKind::Unreachable(obstacle) => obstacle,
            _ => return None,
        };
        let service = action.split(':').next().unwrap_or_default().to_owned();
        Some(Self { obstacle, service })
    }

    /// No answer came from this service.
    pub(super) fn silence(service: &str) -> Self {
        Self {
            obstacle: None,
            service: service.to_owned(),
        }
    }

    /// Whether it is known what stands in the way: then every call to the service fails like this.
    pub(super) fn is_known(&self) -> bool {
        self.obstacle.is_some()
    }

    /// Whether both are one cause. What is wrong with the credentials is so for every service, and what is
    /// wrong with the way for all that share an endpoint. A wrong clock is one clock, although each call
    /// measures it anew.
    pub(super) fn is_same(&self, other: &Self, endpoints: &Endpoints) -> bool {
        let kind = |cause: &Self| cause.obstacle.as_ref().map(discriminant);
        let is_of_credentials = self.obstacle.is_some_and(Obstacle::is_of_credentials);
        let share = endpoints.of(&self.service) == endpoints.of(&other.service);
        kind(self) == kind(other) && (is_of_credentials || share)
    }
}
