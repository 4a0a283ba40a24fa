//! One ordered, bounded pipeline on threads.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

type Job = Box<dyn FnOnce() + Send>;

/// What threads make of every item, in the order of the items, made ahead of whoever takes it.
///
/// It ends early where making one panics. Dropping it ends its threads, each after its current item.
pub(crate) struct Ahead<I: Iterator, R> {
    items: I,
    make: Arc<dyn Fn(I::Item) -> R + Send + Sync>,
    most: usize,
    /// `None` once the threads are to end.
    jobs: Option<Sender<Job>>,
    coming: VecDeque<Receiver<R>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl<I, R> Ahead<I, R>
where
    I: Iterator<Item: Send + 'static>,
    R: Send + 'static,
{
    /// Starts `threads`, which make at most `most` items ahead; `stop` makes them skip those that they have not begun.
    pub(crate) fn start(
        items: I,
        threads: usize,
        most: usize,
        stop: Arc<AtomicBool>,
        make: impl Fn(I::Item) -> R + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (sender, jobs) = channel::<Job>();
        let jobs = Arc::new(Mutex::new(jobs));
        let thread = |_| {
            let jobs = Arc::clone(&jobs);
            let next = move || jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let work = move || {
                while let Ok(job) = next() {
                    job();
                }
            };
            Builder::new().name("load".to_owned()).spawn(work)
        };
        let threads = (0..threads).map(thread).collect::<io::Result<_>>()?;
        let mut ahead = Self {
            items,
            make: Arc::new(make),
            most,
            jobs: Some(sender),
            coming: VecDeque::new(),
            stop,
            threads,
        };
        ahead.fill();
        Ok(ahead)
    }

    pub(crate) fn ready(&mut self) -> Option<R> {
        let made = self.coming.front()?.try_recv().ok()?;
        self.coming.pop_front();
        self.fill();
        Some(made)
    }

    fn fill(&mut self) {
        while self.coming.len() < self.most
            && let Some(jobs) = &self.jobs
            && let Some(item) = self.items.next()
        {
            let (result, receiver) = sync_channel(1);
            self.coming.push_back(receiver);
            let (make, stop) = (Arc::clone(&self.make), Arc::clone(&self.stop));
            let job = move || {
                if !stop.load(Ordering::Relaxed) {
                    // Nobody waits any more.
                    let _ = result.send(make(item));
                }
            };
            if jobs.send(Box::new(job)).is_err() {
                // Every thread panicked, and so its receiver says.
                self.jobs = None;
            }
        }
    }
}

impl<I, R> Iterator for Ahead<I, R>
where
    I: Iterator<Item: Send + 'static>,
    R: Send + 'static,
{
    type Item = R;

    fn next(&mut self) -> Option<R> {
        let next = self.coming.pop_front()?;
        self.fill();
        let made = next.recv().ok();
        if made.is_none() {
            self.coming.clear();
            self.jobs = None;
        }
        made
    }
}

impl<I: Iterator, R> Drop for Ahead<I, R> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // What panicked there ended the items, which the caller was told.
            let _ = thread.join();
        }
    }
}
