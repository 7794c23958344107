//! Threads that do nothing but hash, and the short queue before them. Hashing is made to be slow and large: it must
//! neither stop the async threads nor fill the memory, and whoever floods it is told to come back later.

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

use super::phc::Memory;
use crate::{Error, Result};

/// How long a request waits for its turn.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// How many requests wait at most.
const QUEUE: usize = 64;

type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// The door to the threads; they end when its last clone is dropped.
#[derive(Clone)]
pub(super) struct Pool {
    jobs: SyncSender<Job>,
}

impl Pool {
    /// Starts so many threads.
    pub(super) fn start(threads: usize) -> Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..threads {
            let queue = Arc::clone(&queue);
            let thread = thread::Builder::new().name(format!("passwords-{number}"));
            thread
                .spawn(move || serve(&queue))
                .map_err(|_| Error::Broken("cannot start a thread for hashing passwords"))?;
        }
        Ok(Self { jobs })
    }

    /// Does `work` on one of the threads.
    ///
    /// # Errors
    /// `Unavailable` at once when the queue is full, and after [`PATIENCE`]; then the work is not begun any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T> {
        let ((begin, begun), (done, outcome)) = (oneshot::channel(), oneshot::channel());
        let job = move |memory: &mut Memory| {
            // When whoever asked has gone, nobody pays for what nobody reads.
            if begin.send(()).is_ok() {
                drop(done.send(work(memory)));
            }
        };
        let busy = Error::Unavailable { retry_after: PATIENCE };
        match self.jobs.try_send(Box::new(job)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(busy),
            Err(TrySendError::Disconnected(_)) => {
                return Err(Error::Broken("the password hashing threads have stopped"));
            }
        }
        // The turn alone is waited for so long: in a flood every turn comes late, and giving up what has begun would
        // throw nearly all of the work away.
        if timeout(PATIENCE, begun).await.is_err() {
            return Err(busy);
        }
        outcome.await.map_err(|_| Error::Broken("hashing a password panicked"))
    }
}

fn serve(queue: &Mutex<Receiver<Job>>) {
    let mut memory = Memory::default();
    // One thread waits for the next job, the others wait for its place.
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(job) = next() {
        // The panic hook has told of it; whoever asked finds his answer missing.
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
    async fn hold(pool: &Pool) -> (mpsc::Sender<()>, JoinHandle<Result<()>>) {
        let (release, held) = mpsc::channel();
        let (began, begun) = oneshot::channel();
        let pool = pool.clone();
        let job = async move {
            pool.run(move |_| {
                began.send(()).unwrap();
                held.recv().unwrap();
            })
            .await
        };
        #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
        let task = tokio::spawn(job);
        begun.await.unwrap();
        (release, task)
    }

    /// Polls once; is it still pending?
    async fn is_pending<F: Future + Unpin>(mut future: F) -> bool {
        poll_fn(|context| Poll::Ready(Pin::new(&mut future).poll(context).is_pending())).await
    }

    /// Work that counts how often it is done.
    fn count(begun: &Arc<AtomicU32>) -> impl FnOnce(&mut Memory) -> u32 + Send + 'static {
        let begun = Arc::clone(begun);
        move |_| begun.fetch_add(1, SeqCst)
    }

    #[tokio::test]
    async fn a_full_queue_is_refused_at_once_and_the_waiting_are_served() {
        let pool = Pool::start(1).unwrap();
        let (release, held) = hold(&pool).await;
        let mut waiting: Vec<_> = (0..QUEUE).map(|n| Box::pin(pool.run(move |_| n))).collect();
        for job in &mut waiting {
            assert!(is_pending(job.as_mut()).await);
        }
        assert!(matches!(pool.run(|_| ()).await, Err(Error::Unavailable { retry_after: PATIENCE })));
        release.send(()).unwrap();
        held.await.unwrap().unwrap();
        for (n, job) in waiting.into_iter().enumerate() {
            assert_eq!(job.await.unwrap(), n);
        }
    }

    #[tokio::test]
    async fn what_was_given_up_is_not_begun() {
        let pool = Pool::start(1).unwrap();
        let (release, held) = hold(&pool).await;
        let begun = Arc::new(AtomicU32::new(0));
        let mut given_up = Box::pin(pool.run(count(&begun)));
        assert!(is_pending(given_up.as_mut()).await);
        drop(given_up);
        release.send(()).unwrap();
        held.await.unwrap().unwrap();
        // The queue is in order: this one comes after the other.
        assert_eq!(pool.run(count(&begun)).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_wait_has_an_end_and_what_waited_is_not_begun() {
        let pool = Pool::start(1).unwrap();
        let (release, held) = hold(&pool).await;
        let begun = Arc::new(AtomicU32::new(0));
        // From here on the clock jumps to whatever is waited for.
        tokio::time::pause();
        let outcome = pool.run(count(&begun)).await;
        assert!(matches!(outcome, Err(Error::Unavailable { retry_after: PATIENCE })));
        tokio::time::resume();
        release.send(()).unwrap();
        held.await.unwrap().expect("what has begun is finished");
        assert_eq!(pool.run(count(&begun)).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_panic_harms_nobody_else() {
        let pool = Pool::start(1).unwrap();
        let outcome: Result<()> = pool.run(|_| panic!("on purpose")).await;
        assert!(matches!(outcome, Err(Error::Broken(_))));
        assert_eq!(pool.run(|_| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn the_threads_end_with_the_last_handle() {
        thread_local! {
            static WITNESS: RefCell<Option<mpsc::Sender<()>>> = const { RefCell::new(None) };
        }
        let (sender, ended) = mpsc::channel();
        let pool = Pool::start(1).unwrap();
        let other = pool.clone();
        pool.run(move |_| WITNESS.set(Some(sender))).await.unwrap();
        drop(pool);
        other.run(|_| ()).await.unwrap();
        assert_eq!(ended.try_recv(), Err(TryRecvError::Empty));
        drop(other);
        // The thread takes its end of the channel with it.
        assert!(ended.recv().is_err());
    }
}
