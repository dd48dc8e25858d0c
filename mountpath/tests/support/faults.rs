//! A medium that fails when told to, or at random.

use super::generator::Generator;
use corelane_mountpath::io::medium::{Observer, Operation};
use rustix::io::Errno;
use std::{
    fs, io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, Mutex},
};

/// What a failing write has done nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Nothing,
    Half,
    Everything,
}

/// Operations that match fail, as many as were asked for.
#[derive(Default)]
pub struct Faults {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    faults: Vec<Fault>,
    random: Option<(Generator, usize)>,
    met: usize,
}

struct Fault {
    matches: Box<dyn Fn(&Operation<'_>) -> bool + Send>,
    error: Errno,
    effect: Effect,
    skip: usize,
    left: usize,
}

impl Faults {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Every matching operation fails until `heal`.
    pub fn fail(&self, error: Errno, effect: Effect, matches: impl Fn(&Operation<'_>) -> bool + Send + 'static) {
        self.fail_some(error, effect, 0, usize::MAX, matches);
    }

    /// Lets `skip` matching operations pass and the next `count` fail.
    pub fn fail_some(
        &self,
        error: Errno,
        effect: Effect,
        skip: usize,
        count: usize,
        matches: impl Fn(&Operation<'_>) -> bool + Send + 'static,
    ) {
        self.state.lock().unwrap().faults.push(Fault {
            matches: Box::new(matches),
            error,
            effect,
            skip,
            left: count,
        });
    }

    /// Of all operations so many percent fail.
    pub fn fail_randomly(&self, generator: Generator, percent: usize) {
        self.state.lock().unwrap().random = Some((generator, percent));
    }

    /// Everything works again; how many operations failed meanwhile.
    pub fn heal(&self) -> usize {
        std::mem::take(&mut *self.state.lock().unwrap()).met
    }
}

impl State {
    fn verdict(&mut self, operation: &Operation<'_>) -> Option<(Errno, Effect)> {
        for fault in self.faults.iter_mut().filter(|fault| (fault.matches)(operation)) {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if fault.left > 0 {
                fault.left -= 1;
                return Some((fault.error, fault.effect));
            }
        }
        let (generator, percent) = self.random.as_mut()?;
        generator.percent(*percent).then(|| {
            let error = *generator.pick(&[Errno::IO, Errno::IO, Errno::NOSPC]);
            let effect = *generator.pick(&[Effect::Nothing, Effect::Half, Effect::Everything]);
            (error, effect)
        })
    }
}

impl Observer for Faults {
    fn begin(&self, operation: &Operation<'_>) -> io::Result<u64> {
        let mut state = self.state.lock().unwrap();
        let Some((error, effect)) = state.verdict(operation) else {
            return Ok(0);
        };
        state.met += 1;
        if let Operation::Write { path, position, bytes } = operation {
            let length = match effect {
                Effect::Nothing => 0,
                Effect::Half => bytes.len() / 2,
                Effect::Everything => bytes.len(),
            };
            let file = fs::OpenOptions::new().write(true).open(path);
            // A removed file has no name to write under, and nobody who could look.
            if let Ok(file) = file {
                file.write_all_at(&bytes[..length], *position).unwrap();
            }
        }
        Err(error.into())
    }

    fn end(&self, _: u64, _: bool) {}
}

/// Whether an operation is done to a file of this kind (`seg`, `blob`).
pub fn is_of(operation: &Operation<'_>, extension: &str) -> bool {
    let path: &Path = match operation {
        Operation::Open { path, .. }
        | Operation::Direct { path }
        | Operation::Read { path, .. }
        | Operation::Write { path, .. }
        | Operation::Allocate { path, .. }
        | Operation::Truncate { path, .. }
        | Operation::Sync { path }
        | Operation::SyncDirectory { path }
        | Operation::Remove { path } => path,
    };
    path.extension().is_some_and(|found| found == extension)
}
