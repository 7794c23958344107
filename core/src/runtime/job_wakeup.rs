//! Notifies workers of new jobs, so that they poll less often. A notification may be lost, because the jobs are in the
//! database and workers still poll.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::base::ids::{JobId, OrgId};

/// Maximum number of jobs that wait in the channel. Further ones are dropped, and the poller finds them.
const CHANNEL_SIZE: usize = 4096;

/// A new job and its organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobRef {
    /// The organization.
    pub org: OrgId,
    /// The job.
    pub job: JobId,
}

/// The sending end. Cheap to clone. The default has no receiver.
#[derive(Clone, Debug, Default)]
pub struct JobWakeup(Option<Arc<mpsc::Sender<JobRef>>>);

impl JobWakeup {
    /// The sending and the receiving end.
    pub fn new() -> (Self, mpsc::Receiver<JobRef>) {
        let (sender, receiver) = mpsc::channel(CHANNEL_SIZE);
        (Self(Some(Arc::new(sender))), receiver)
    }

    /// Notifies of each job. Never waits.
    pub(crate) fn notify(&self, job_refs: &[JobRef]) {
        let Some(sender) = &self.0 else { return };
        for job_ref in job_refs {
            if sender.try_send(*job_ref).is_err() {
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
    fn a_full_or_closed_channel_drops_notifications_without_waiting() {
        let now = Clock::System.now();
        let job_refs: Vec<_> =
            (0..=CHANNEL_SIZE).map(|_| JobRef { org: OrgId::PLATFORM, job: JobId::new(now) }).collect();
        let (wakeup, mut receiver) = JobWakeup::new();
        wakeup.notify(&job_refs);
        let received: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
        assert_eq!(received, job_refs[..CHANNEL_SIZE]);
        drop(receiver);
        wakeup.notify(&job_refs);
        JobWakeup::default().notify(&job_refs);
    }
}
