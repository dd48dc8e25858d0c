//! A disk that fills up soon: ext4 in a file, mounted for one process and its children only.

use crate::process::wait_for;
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// Mounts the disk where only the command that follows sees it; the mount ends with the last of its processes.
const MOUNT_AND_RUN: &str = r#"mount -o loop "$1" "$2" && shift 2 && exec "$@""#;

/// See the module.
#[derive(Debug)]
pub struct SmallDisk {
    image: PathBuf,
    mountpoint: PathBuf,
}

impl SmallDisk {
    /// An empty file system of so many bytes. `None`, with the reason on standard error, where mounting is not allowed.
    pub fn new(image: PathBuf, mountpoint: PathBuf, bytes: u64) -> Option<Self> {
        std::fs::create_dir(&mountpoint).unwrap();
        File::create_new(&image).unwrap().set_len(bytes).unwrap();
        let disk = Self { image, mountpoint };
        let mut format = Command::new("mkfs.ext4");
        // Nothing is kept back for root: the disk is as full for it as for everybody.
        format.args(["-q", "-m", "0"]).arg(&disk.image);
        for mut command in [format, disk.command(Path::new("true"))] {
            let failure = match command.stdin(Stdio::null()).output() {
                Ok(Output { status, .. }) if status.success() => continue,
                Ok(Output { stderr, .. }) => String::from_utf8_lossy(&stderr).trim().to_owned(),
                Err(error) => error.to_string(),
            };
            eprintln!("SKIPPED: this machine does not let a test mount a small disk: {command:?}: {failure}");
            return None;
        }
        Some(disk)
    }

    /// A command that sees the disk. It runs in the process that is spawned, as it would without the disk.
    pub fn command(&self, program: &Path) -> Command {
        self.wait_until_free();
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", MOUNT_AND_RUN, "sh"])
            .args([&self.image, &self.mountpoint])
            .arg(program);
        command
    }

    /// The kernel lets go of the disk a little after its last process has ended. Mounted twice, it would be destroyed.
    fn wait_until_free(&self) {
        wait_for("the small disk to be let go", || {
            let devices = Command::new("losetup").arg("-j").arg(&self.image).output();
            // Without losetup there is no mount -o loop either.
            devices.map_or(true, |devices| devices.stdout.is_empty()).then_some(())
        });
    }
}
