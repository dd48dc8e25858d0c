//! The commands, one file each.

pub mod compare;
pub mod etag;
pub mod fill;
pub mod lease;
pub mod list;
pub mod mixed;
pub mod objects;
pub mod put_durable;
pub mod put_large;
pub mod restart;
pub mod space;
pub mod stalled;
pub mod ways;

use std::{path::PathBuf, time::Duration};

/// Flags of all commands.
#[derive(Debug, Clone, clap::Args)]
pub struct Common {
    /// Where temporary data goes: a folder on the disk to be measured, not on tmpfs [default: the system's temporary folder]
    #[arg(long, value_name = "DIR", overrides_with = "dir")]
    pub dir: Option<PathBuf>,
    /// Folder of the release binaries [default: the one this program is in]
    #[arg(long, value_name = "DIR")]
    pub binaries: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Flags of commands that measure in windows.
#[derive(Debug, Clone, clap::Args)]
pub struct Windows {
    /// Length of each measured window, in seconds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=crate::limits::WINDOW_S_MAX))]
    pub seconds: u64,
    /// How often everything is measured; the report shows medians
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
}

impl Windows {
    /// The measured window.
    pub fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// How many windows of each kind.
    pub fn count(&self) -> usize {
        usize::try_from(self.rounds).unwrap_or(usize::MAX)
    }

    /// What the figures of a report are.
    pub fn describe(&self) -> String {
        format!("{} rounds of {} s, medians", self.rounds, self.seconds)
    }
}

impl Common {
    /// Where temporary data goes.
    pub fn directory(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// Where Corelane's binaries are.
    pub fn binaries(&self) -> PathBuf {
        let beside = || std::env::current_exe().ok()?.parent().map(PathBuf::from);
        self.binaries
            .clone()
            .or_else(beside)
            .unwrap_or_else(|| PathBuf::from("."))
    }
}
