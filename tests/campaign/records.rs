//! What daemons remember mails by beside their own memory: SES's events, and a table for all.

use anyhow::anyhow;
use sandbox::ses::destination::EventType;
use sandbox::ses::publisher::{EventFault, EventRule};

use super::world::World;

const SET: &str = "notifications";
pub(crate) const FEEDBACK: &str = "feedback";
pub(crate) const TABLE: &str = "mails";
pub(crate) const ALL: &[EventType] = &[
    EventType::Send,
    EventType::Delivery,
    EventType::Bounce,
    EventType::Complaint,
    EventType::Reject,
    EventType::DeliveryDelay,
];

impl World {
    /// SES's events reach a queue that daemons read that start from now on, 0.3 to 2 s late.
    pub(crate) async fn connect_feedback(&mut self, types: &[EventType]) -> anyhow::Result<()> {
        let connected = self
            .sandbox()
            .connect_feedback(SET, FEEDBACK, false, types)
            .await;
        connected.map_err(|refused| anyhow!("no feedback: {}", refused.message))?;
        self.sandbox().ses.set_event_rules(vec![delay(300, 2000)]);
        self.set("email.configuration_set", SET);
        let url = format!("{}/000000000000/{FEEDBACK}", self.running.url());
        self.set("feedback.queue_url", &url);
        Ok(())
    }

    /// Daemons that start from now on share a table.
    pub(crate) fn share_table(&mut self) -> anyhow::Result<()> {
        let made = self.sandbox().make_table(TABLE);
        made.map_err(|refused| anyhow!("no table: {}", refused.message))?;
        self.set("ledger.table", TABLE);
        Ok(())
    }
}

pub(crate) fn delay(min_ms: u64, max_ms: u64) -> EventRule {
    rule(EventFault::Delay { min_ms, max_ms }, 1.0)
}

pub(crate) fn rule(fault: EventFault, share: f64) -> EventRule {
    EventRule {
        types: Vec::new(),
        fault,
        share,
    }
}
