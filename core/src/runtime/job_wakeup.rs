//! Tells workers of new jobs, so that they need not look for them all the time. It may be lost: the jobs are in the
//! database, and workers do look, only less often.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::base::ids::{JobId, OrgId};

/// Most jobs that wait in the channel. Further ones are dropped, and the poller finds them.
const WAITING: usize = 4096;

/// A new job, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobRef {
    /// The organization.
    pub org: OrgId,
    /// The job.
    pub job: JobId,
}

/// The sending end. Cheap to clone. The default one has no receiver.
#[derive(Clone, Debug, Default)]
pub struct JobWakeup(Option<Arc<mpsc::Sender<JobRef>>>);

impl JobWakeup {
    /// The sending and the receiving end.
    pub fn new() -> (Self, mpsc::Receiver<JobRef>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(Some(Arc::new(sender))), receiver)
    }

    /// Rings once for each job. Waits for nothing.
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
    fn what_nobody_hears_is_lost_and_nobody_waits() {
        let now = Clock::System.now();
        let job_refs: Vec<_> =
            (0..=WAITING).map(|_| JobRef { org: OrgId::PLATFORM, job: JobId::new(now) }).collect();
        let (wakeup, mut heard) = JobWakeup::new();
        wakeup.notify(&job_refs);
        let got: Vec<_> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
        assert_eq!(got, job_refs[..WAITING]);
        drop(heard);
        wakeup.notify(&job_refs);
        JobWakeup::default().notify(&job_refs);
    }
}
