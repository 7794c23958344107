//! Tells workers of new jobs, so that they need not look for them all the time. It may be lost: the jobs are in the
//! database, and workers do look, only less often.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::base::ids::{JobId, OrgId};

/// Most rings that wait for somebody to hear them; what is more is lost, and found by looking.
const WAITING: usize = 4096;

/// A new job, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobRef {
    /// The organization.
    pub org: OrgId,
    /// The job.
    pub job: JobId,
}

/// The end that rings. Cheap to clone; the default one nobody hears.
#[derive(Clone, Debug, Default)]
pub struct JobWakeup(Option<Arc<mpsc::Sender<JobRef>>>);

impl JobWakeup {
    /// A bell, and the end that hears it.
    pub fn new() -> (Self, mpsc::Receiver<JobRef>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(Some(Arc::new(sender))), receiver)
    }

    /// Rings once for each job. Waits for nothing.
    pub(crate) fn notify(&self, rings: &[JobRef]) {
        let Some(sender) = &self.0 else { return };
        for ring in rings {
            if sender.try_send(*ring).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Clock;

    #[test]
    fn what_nobody_hears_is_lost_and_nobody_waits() {
        let now = Clock::System.now();
        let rings: Vec<_> =
            (0..=WAITING).map(|_| JobRef { org: OrgId::PLATFORM, job: JobId::new(now) }).collect();
        let (bell, mut heard) = JobWakeup::new();
        bell.notify(&rings);
        let got: Vec<_> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
        assert_eq!(got, rings[..WAITING]);
        drop(heard);
        bell.notify(&rings);
        JobWakeup::default().notify(&rings);
    }
}
