//! Ctrl-C: what is under way stops where it can be continued.

use crate::{
    error::{CliError, Result},
    limits::INTERRUPT_LOOK,
    s3::{CallResult, Failure},
};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Whether the user wants no more. All its clones tell the same.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    wanted: Arc<AtomicBool>,
}

impl Interrupt {
    /// Listens from now on; a second Ctrl-C ends the process at once.
    pub fn listen() -> Result<Self> {
        let interrupt = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // The order counts: at the second signal the flag is set.
            signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&interrupt.wanted))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&interrupt.wanted)))
                .map_err(|error| CliError::failed(format!("cannot watch for Ctrl-C: {error}")))?;
        }
        Ok(interrupt)
    }

    /// Whether it was asked for.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Fails once it was asked for.
    pub fn check(&self) -> CallResult<()> {
        match self.is_wanted() {
            true => Err(Failure::Interrupted),
            false => Ok(()),
        }
    }

    /// Waits, but not once it was asked for.
    pub fn pause(&self, pause: Duration) -> CallResult<()> {
        let end = Instant::now() + pause;
        loop {
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(INTERRUPT_LOOK));
        }
    }
}
