//! The steps on their way to the file, and how many there may be.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::available_parallelism;

/// As much of the memory that is available may be filled with maps that wait.
const SHARE_OF_MEMORY: u64 = 4;

/// Steps that are always let in: one that is written while the next one is rendered.
const FEWEST: usize = 2;

pub(super) struct Queue<J> {
    jobs: Sender<J>,
    /// A message for each step that has been written.
    written: Receiver<()>,
    /// The maps of each step that has not. Units: bytes.
    sizes: VecDeque<u64>,
    /// How many may be on their way: one a core, each being many tasks of very unequal sizes.
    most_steps: usize,
    /// How large their maps may be. Units: bytes.
    most_bytes: u64,
    /// Whether the memory of the first maps' device was asked for.
    is_bounded: bool,
}

impl<J> Queue<J> {
    /// Also gives the ends of the writer: the jobs, and where it says that a step was written.
    pub(super) fn new() -> (Self, Receiver<J>, Sender<()>) {
        let (jobs, received) = channel();
        let (done, written) = channel();
        let queue = Self {
            jobs,
            written,
            sizes: VecDeque::new(),
            most_steps: available_parallelism().map_or(1, usize::from),
            most_bytes: available_memory() / SHARE_OF_MEMORY,
            is_bounded: false,
        };
        (queue, received, done)
    }

    /// Sends a step once there is room for it; false where the writer has stopped.
    pub(super) fn send_step(&mut self, step: J) -> bool {
        while self.written.try_recv().is_ok() {
            self.sizes.pop_front();
        }
        while !self.has_room() {
            if self.written.recv().is_err() {
                return false;
            }
            self.sizes.pop_front();
        }
        // As large as the one before, until it is known.
        self.sizes
            .push_back(self.sizes.back().copied().unwrap_or(0));
        self.send(step)
    }

    pub(super) fn send(&self, job: J) -> bool {
        self.jobs.send(job).is_ok()
    }

    /// Says how large the maps of the newest step are. Units: bytes.
    pub(super) fn measure(&mut self, bytes: u64) {
        if let Some(newest) = self.sizes.back_mut() {
            *newest = bytes;
        }
    }

    /// Says, with the first maps, how much memory of their device is free, where that is not the host's.
    pub(super) fn bound(&mut self, free: impl FnOnce() -> Option<u64>) {
        if std::mem::replace(&mut self.is_bounded, true) {
            return;
        }
        if let Some(free) = free() {
            self.most_bytes = self.most_bytes.min(free / SHARE_OF_MEMORY);
        }
    }

    /// For another step that is as large as the last one.
    fn has_room(&self) -> bool {
        let (count, next) = (self.sizes.len(), self.sizes.back().copied().unwrap_or(0));
        let bytes = self.sizes.iter().sum::<u64>().saturating_add(next);
        count < FEWEST || (count < self.most_steps && bytes <= self.most_bytes)
    }
}

/// What the system says is available, at most what a container may use; 1 GiB where neither says anything.
///
/// Source: `proc_meminfo(5)`; "Memory Interface Files" in the documentation of Linux's cgroup v2.
fn available_memory() -> u64 {
    const UNKNOWN: u64 = 1 << 30;
    let of_system = std::fs::read_to_string("/proc/meminfo").ok();
    let of_system = of_system.and_then(|text| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("MemAvailable:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes << 10)
    });
    let of_container = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let of_container = of_container.and_then(|text| text.trim().parse().ok());
    let known = of_system.into_iter().chain(of_container);
    known.min().unwrap_or(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(steps: usize, bytes: u64) -> (Queue<()>, Receiver<()>, Sender<()>) {
        let (mut queue, jobs, done) = Queue::new();
        (queue.most_steps, queue.most_bytes) = (steps, bytes);
        (queue, jobs, done)
    }

    /// How many steps of this size are let in before one of them is written.
    fn let_in(steps: usize, bytes: u64, size: u64) -> usize {
        let (mut queue, _jobs, _done) = queue(steps, bytes);
        let mut count = 0;
        while count < 100 && queue.has_room() {
            assert!(queue.send_step(()));
            queue.measure(size);
            count += 1;
        }
        count
    }

    #[test]
    fn cores_and_memory_bound_the_steps_that_wait() {
        assert_eq!(let_in(16, 1000, 10), 16);
        assert_eq!(let_in(16, 100, 10), 10);
        assert_eq!(let_in(16, 100, 0), 16);
        // Two are let in whatever there is.
        assert_eq!(let_in(1, 1000, 10), 2);
        assert_eq!(let_in(16, 5, 10), 2);
    }

    #[test]
    fn the_memory_of_a_gpu_bounds_them_too() {
        let (mut queue, _jobs, _done) = queue(16, 1000);
        assert!(queue.send_step(()));
        queue.bound(|| Some(100));
        assert_eq!(queue.most_bytes, 25);
        queue.bound(|| unreachable!("only the first maps are asked"));
        assert_eq!(queue.most_bytes, 25);
        let (mut queue, _jobs, _done) = self::queue(16, 1000);
        queue.bound(|| Some(10_000));
        assert_eq!(queue.most_bytes, 1000);
    }

    #[test]
    fn a_written_step_makes_room_and_a_stopped_writer_ends_the_wait() {
        let (mut queue, _jobs, done) = queue(2, u64::MAX);
        assert!(queue.send_step(()) && queue.send_step(()));
        done.send(()).unwrap();
        assert!(queue.send_step(()));
        assert_eq!(queue.sizes.len(), 2);
        drop(done);
        assert!(!queue.send_step(()));
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(available_memory() > 1 << 20);
    }
}
