//! Threads that only hash passwords, and their short queue. Hashing is slow and needs much memory by design. It must
//! neither block the async threads nor fill the memory. When the queue is full, clients must retry later.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use super::phc::HashMemory;
use crate::{Error, Result, runtime::telemetry::traces};

/// How long a request waits until a thread starts it.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(2);

/// Maximum number of waiting requests.
const QUEUE_LENGTH: usize = 64;

type HashingJob = Box<dyn FnOnce(&mut HashMemory) + Send>;

/// The sender of work to the threads. They end when its last clone is dropped.
#[derive(Clone)]
pub(super) struct HashingPool {
    jobs: SyncSender<HashingJob>,
}

impl HashingPool {
    /// Starts `threads` threads.
    pub(super) fn start(threads: usize) -> Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE_LENGTH);
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..threads {
            let queue = Arc::clone(&queue);
            let thread = thread::Builder::new().name(format!("passwords-{number}"));
            thread
                .spawn(move || serve(&queue))
                .map_err(|_| Error::Internal("cannot start a thread for hashing passwords"))?;
        }
        Ok(Self { jobs })
    }

    /// Runs `work` on one of the threads.
    ///
    /// # Errors
    /// `Unavailable` at once when the queue is full, and after [`MAX_WAIT`]; then the work never starts.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut HashMemory) -> T + Send + 'static,
    ) -> Result<T> {
        let ((start, started), (done, outcome)) = (oneshot::channel(), oneshot::channel());
        let job = move |memory: &mut HashMemory| {
            // If the caller is gone, nobody reads the result, so the work is skipped.
            if start.send(()).is_ok() {
                drop(done.send(work(memory)));
            }
        };
        let busy = Error::Unavailable { retry_after: MAX_WAIT };
        match self.jobs.try_send(Box::new(job)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(busy),
            Err(TrySendError::Disconnected(_)) => {
                return Err(Error::Internal("the password hashing threads have stopped"));
            }
        }
        // The limit covers only the wait for the start. Under overload every start is late, and aborting started work
        // would waste nearly all of it.
        let waiting = traces::internal("password_hash.wait");
        if timeout(MAX_WAIT, started).await.is_err() {
            waiting.fail("timeout");
            return Err(busy);
        }
        drop(waiting);
        let _hashing = traces::internal("password_hash");
        outcome.await.map_err(|_| Error::Internal("hashing a password panicked"))
    }
}

fn serve(queue: &Mutex<Receiver<HashingJob>>) {
    let mut memory = HashMemory::default();
    // One thread waits for the next job; the others wait for the lock.
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(job) = next() {
        // The panic hook has logged it. The caller gets an error, because no result is sent.
        drop(catch_unwind(AssertUnwindSafe(|| job(&mut memory))));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        future::poll_fn,
        pin::Pin,
        sync::{
            atomic::{AtomicU32, Ordering::SeqCst},
            mpsc::{self, TryRecvError},
        },
        task::Poll,
    };

    use tokio::task::JoinHandle;

    use super::*;

    /// Keeps the one thread of a pool busy until the sender is used.
    async fn hold(pool: &HashingPool) -> (mpsc::Sender<()>, JoinHandle<Result<()>>) {
        let (release, held) = mpsc::channel();
        let (start, started) = oneshot::channel();
        let pool = pool.clone();
        let job = async move {
            pool.run(move |_| {
                start.send(()).unwrap();
                held.recv().unwrap();
            })
            .await
        };
        #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
        let task = tokio::spawn(job);
        started.await.unwrap();
        (release, task)
    }

    /// Polls once and returns whether the future is still pending.
    async fn is_pending<F: Future + Unpin>(mut future: F) -> bool {
        poll_fn(|context| Poll::Ready(Pin::new(&mut future).poll(context).is_pending())).await
    }

    /// Returns work that counts how often it runs.
    fn count(runs: &Arc<AtomicU32>) -> impl FnOnce(&mut HashMemory) -> u32 + Send + 'static {
        let runs = Arc::clone(runs);
        move |_| runs.fetch_add(1, SeqCst)
    }

    #[tokio::test]
    async fn a_full_queue_rejects_at_once_and_serves_the_waiting_requests() {
        let pool = HashingPool::start(1).unwrap();
        let (release, held) = hold(&pool).await;
        let mut waiting: Vec<_> = (0..QUEUE_LENGTH).map(|n| Box::pin(pool.run(move |_| n))).collect();
        for job in &mut waiting {
            assert!(is_pending(job.as_mut()).await);
        }
        assert!(matches!(pool.run(|_| ()).await, Err(Error::Unavailable { retry_after: MAX_WAIT })));
        release.send(()).unwrap();
        held.await.unwrap().unwrap();
        for (n, job) in waiting.into_iter().enumerate() {
            assert_eq!(job.await.unwrap(), n);
        }
    }

    #[tokio::test]
    async fn abandoned_work_is_not_started() {
        let pool = HashingPool::start(1).unwrap();
        let (release, held) = hold(&pool).await;
        let runs = Arc::new(AtomicU32::new(0));
        let mut abandoned = Box::pin(pool.run(count(&runs)));
        assert!(is_pending(abandoned.as_mut()).await);
        drop(abandoned);
        release.send(()).unwrap();
        held.await.unwrap().unwrap();
        // The queue is in order: this work runs after the abandoned one.
        assert_eq!(pool.run(count(&runs)).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn waiting_times_out_and_the_work_is_not_started() {
        let pool = HashingPool::start(1).unwrap();
        let (release, held) = hold(&pool).await;
        let runs = Arc::new(AtomicU32::new(0));
        // From here on the clock jumps to the next timer.
        tokio::time::pause();
        let outcome = pool.run(count(&runs)).await;
        assert!(matches!(outcome, Err(Error::Unavailable { retry_after: MAX_WAIT })));
        tokio::time::resume();
        release.send(()).unwrap();
        held.await.unwrap().expect("started work is finished");
        assert_eq!(pool.run(count(&runs)).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_panic_does_not_affect_other_work() {
        let pool = HashingPool::start(1).unwrap();
        let outcome: Result<()> = pool.run(|_| panic!("on purpose")).await;
        assert!(matches!(outcome, Err(Error::Internal(_))));
        assert_eq!(pool.run(|_| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn the_threads_end_with_the_last_handle() {
        thread_local! {
            static WITNESS: RefCell<Option<mpsc::Sender<()>>> = const { RefCell::new(None) };
        }
        let (sender, ended) = mpsc::channel();
        let pool = HashingPool::start(1).unwrap();
        let other = pool.clone();
        pool.run(move |_| WITNESS.set(Some(sender))).await.unwrap();
        drop(pool);
        other.run(|_| ()).await.unwrap();
        assert_eq!(ended.try_recv(), Err(TryRecvError::Empty));
        drop(other);
        // The sender is dropped when the thread ends.
        assert!(ended.recv().is_err());
    }
}
