//! The jobs that wait in this process. Organizations take turns, so that one with many jobs does not delay the others.
//!
//! The queue may lose a job: the outbox has it, and the poller finds it.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use insula_core::{
    base::ids::{JobId, OrgId},
    runtime::job_wakeup::JobRef,
};
use tokio::sync::Notify;

/// Most jobs that wait in memory. When it is full, the organization with the most waiting jobs loses one.
const CAPACITY: usize = 4096;

/// The queue of waiting jobs. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct FairQueue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    pushed: Notify,
}

#[derive(Default)]
struct Waiting {
    /// The order of turns: each organization with a waiting job, once.
    turns: VecDeque<OrgId>,
    jobs: HashMap<OrgId, VecDeque<JobId>>,
    /// The waiting and the running jobs: a job does not run twice at a time.
    known: HashSet<JobId>,
    length: usize,
}

impl Waiting {
    fn push(&mut self, job_ref: JobRef) {
        if !self.known.insert(job_ref.job) {
            return;
        }
        if self.length == CAPACITY {
            self.drop_one();
        }
        let jobs = self.jobs.entry(job_ref.org).or_default();
        if jobs.is_empty() {
            self.turns.push_back(job_ref.org);
        }
        jobs.push_back(job_ref.job);
        self.length += 1;
    }

    /// Drops the newest job of the organization with the most.
    fn drop_one(&mut self) {
        let Some(jobs) = self.jobs.values_mut().max_by_key(|jobs| jobs.len()) else { return };
        if let Some(job) = jobs.pop_back() {
            self.known.remove(&job);
            self.length -= 1;
        }
    }

    fn pop(&mut self) -> Option<JobRef> {
        loop {
            let org = self.turns.pop_front()?;
            let Some(jobs) = self.jobs.get_mut(&org) else { continue };
            let job = jobs.pop_front();
            match jobs.is_empty() {
                true => drop(self.jobs.remove(&org)),
                false => self.turns.push_back(org),
            }
            if let Some(job) = job {
                self.length -= 1;
                return Some(JobRef { org, job });
            }
        }
    }
}

impl FairQueue {
    /// Adds the jobs that neither wait nor run.
    pub(crate) fn push(&self, job_refs: impl IntoIterator<Item = JobRef>) {
        let mut waiting = self.waiting();
        job_refs.into_iter().for_each(|job_ref| waiting.push(job_ref));
        drop(waiting);
        self.0.pushed.notify_one();
    }

    /// The number of waiting jobs.
    pub(crate) fn len(&self) -> usize {
        self.waiting().length
    }

    /// Removes the next job of the organization whose turn it is. Waits until there is one.
    pub(crate) async fn next(&self) -> JobRef {
        loop {
            let job_ref = self.waiting().pop();
            match job_ref {
                Some(job_ref) => return job_ref,
                None => self.0.pushed.notified().await,
            }
        }
    }

    /// Allows the job to be pushed again.
    pub(crate) fn forget(&self, job: JobId) {
        self.waiting().known.remove(&job);
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job_ref(org: u128, job: u128) -> JobRef {
        JobRef { org: OrgId(uuid::Uuid::from_u128(org)), job: JobId(uuid::Uuid::from_u128(job)) }
    }

    fn drain(queue: &FairQueue) -> Vec<JobRef> {
        std::iter::from_fn(|| queue.waiting().pop()).collect()
    }

    #[test]
    fn organizations_take_turns() {
        let queue = FairQueue::default();
        queue.push((0..4).map(|job| job_ref(1, job)));
        queue.push([job_ref(2, 10), job_ref(3, 20), job_ref(2, 11)]);
        assert_eq!(queue.len(), 7);
        let expected = [
            job_ref(1, 0),
            job_ref(2, 10),
            job_ref(3, 20),
            job_ref(1, 1),
            job_ref(2, 11),
            job_ref(1, 2),
            job_ref(1, 3),
        ];
        assert_eq!(drain(&queue), expected);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_waiting_or_running_job_is_not_pushed_again() {
        let queue = FairQueue::default();
        queue.push([job_ref(1, 1), job_ref(1, 1)]);
        assert_eq!(drain(&queue), [job_ref(1, 1)]);
        queue.push([job_ref(1, 1)]);
        assert_eq!(queue.len(), 0);
        queue.forget(job_ref(1, 1).job);
        queue.push([job_ref(1, 1)]);
        assert_eq!(drain(&queue), [job_ref(1, 1)]);
    }

    #[test]
    fn a_full_queue_drops_a_job_of_the_organization_with_the_most() {
        let queue = FairQueue::default();
        queue.push((0..2 * CAPACITY as u128).map(|job| job_ref(1, job)));
        queue.push([job_ref(2, u128::MAX)]);
        assert_eq!(queue.len(), CAPACITY);
        let drained = drain(&queue);
        assert_eq!(drained[1], job_ref(2, u128::MAX));
        assert_eq!(drained.len(), CAPACITY);
        // A dropped job can be pushed again.
        queue.push([job_ref(1, 2 * CAPACITY as u128 - 2)]);
        assert_eq!(queue.len(), 1);
    }
}
