//! What holds for every fuzz target: an input takes at most a second, and its own length and 64 MB of memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

const MEMORY: usize = 64 << 20;
const TIME: Duration = Duration::from_secs(1);

/// On a machine that does something else too, the shortest of so many runs counts.
const RUNS: usize = 3;

/// Bytes allocated now, and how many may be. An allocation beyond that fails where it is asked for, which ends the
/// process with a stack trace.
static TAKEN: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

struct Limited;

#[global_allocator]
static ALLOCATOR: Limited = Limited;

fn take(bytes: usize) -> bool {
    let fits = TAKEN.fetch_add(bytes, Relaxed).saturating_add(bytes) <= LIMIT.load(Relaxed);
    if !fits {
        TAKEN.fetch_sub(bytes, Relaxed);
    }
    fits
}

// SAFETY: everything is passed on to the system's allocator, or fails as the trait allows.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match take(layout.size()) {
            true => unsafe { System.alloc(layout) },
            false => std::ptr::null_mut(),
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match take(layout.size()) {
            true => unsafe { System.alloc_zeroed(layout) },
            false => std::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        TAKEN.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) };
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may be there while one is copied.
        if !take(size) {
            return std::ptr::null_mut();
        }
        TAKEN.fetch_sub(layout.size(), Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs `work` on an input within the bounds.
pub fn bounded(input: &[u8], mut work: impl FnMut()) {
    let mut shortest = Duration::MAX;
    for _ in 0..RUNS {
        LIMIT.store(TAKEN.load(Relaxed) + input.len() + MEMORY, Relaxed);
        let start = Instant::now();
        work();
        shortest = shortest.min(start.elapsed());
        LIMIT.store(usize::MAX, Relaxed);
        if shortest <= TIME {
            return;
        }
    }
    panic!("{shortest:?} for {} bytes", input.len());
}

/// The path of a file with these bytes, the same one every time. It has no name and so is never left behind.
pub fn file(input: &[u8]) -> PathBuf {
    static FILE: OnceLock<File> = OnceLock::new();
    let mut file = FILE.get_or_init(|| {
        let in_memory = tempfile::tempfile_in("/dev/shm");
        in_memory
            .or_else(|_| tempfile::tempfile())
            .expect("a temporary file")
    });
    std::io::Seek::rewind(&mut file).expect("a file");
    file.set_len(0).expect("a file");
    file.write_all(input).expect("a file");
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}
