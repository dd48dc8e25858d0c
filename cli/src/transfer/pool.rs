//! Threads that do what one thread finds to do.

use crate::{limits::QUEUE_MAX, s3::CallResult};
use std::sync::{
    Mutex, PoisonError,
    mpsc::{Receiver, sync_channel},
};

/// Hands what `find` finds to `count` threads that do it. `find` gives each thing to the function it is called with, which
/// waits while too much waits, and stops when that returns false. Returns when all is done.
pub fn run<T: Send>(
    count: usize,
    find: impl FnOnce(&mut dyn FnMut(T) -> bool) -> CallResult<()>,
    work: impl Fn(T) + Sync,
) -> CallResult<()> {
    let (sender, receiver) = sync_channel(QUEUE_MAX);
    let receiver = Mutex::new(receiver);
    std::thread::scope(|scope| {
        for _ in 0..count.max(1) {
            scope.spawn(|| {
                while let Some(thing) = next(&receiver) {
                    work(thing);
                }
            });
        }
        let found = find(&mut |thing| sender.send(thing).is_ok());
        drop(sender);
        found
    })
}

/// Does `work` for the numbers below `total` on up to `threads` threads, until one fails; then the others begin nothing
/// more. The first failure.
pub fn number<F>(threads: usize, total: u64, work: F) -> CallResult<()>
where
    F: Fn(u64) -> CallResult<()> + Sync,
{
    use std::sync::atomic::{AtomicU64, Ordering};
    let next = AtomicU64::new(0);
    let failure = Mutex::new(None);
    std::thread::scope(|scope| {
        let threads = u64::try_from(threads.max(1)).unwrap_or(u64::MAX).min(total);
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= total {
                        return;
                    }
                    if let Err(error) = work(number) {
                        next.store(total, Ordering::Relaxed);
                        failure
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .get_or_insert(error);
                        return;
                    }
                }
            });
        }
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        None => Ok(()),
        Some(failure) => Err(failure),
    }
}

fn next<T>(receiver: &Mutex<Receiver<T>>) -> Option<T> {
    receiver.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

#[cfg(test)]
mod tests {
    use super::{number, run};
    use crate::s3::Failure;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn everything_found_is_done_once() {
        let sum = AtomicU64::new(0);
        let found = run(
            4,
            |give| {
                assert!((1..=10_000_u64).all(&mut *give));
                Ok(())
            },
            |number| {
                sum.fetch_add(number, Ordering::Relaxed);
            },
        );
        assert!(found.is_ok());
        assert_eq!(sum.into_inner(), 50_005_000);
    }

    #[test]
    fn a_failure_ends_the_rest() {
        let done = AtomicU64::new(0);
        let result = number(1, 1000, |number| {
            done.fetch_add(1, Ordering::Relaxed);
            if number == 10 {
                Err(Failure::Interrupted)
            } else {
                Ok(())
            }
        });
        assert!(matches!(result, Err(Failure::Interrupted)));
        assert_eq!(done.into_inner(), 11);
    }
}
