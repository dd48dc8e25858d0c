//! What the kernel must offer before anything is started: io_uring, locked memory, file descriptors.

use crate::{
    error::{CliError, Result},
    limits::MEMLOCK_BYTES_PER_EXECUTOR,
};
use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

const IO_URING_SWITCH: &str = "/proc/sys/kernel/io_uring_disabled";

/// Checks the kernel and raises what may be raised; children inherit the limits.
pub fn check(executors: usize) -> Result<()> {
    check_memlock(executors)?;
    check_io_uring()?;
    raise_open_files();
    Ok(())
}

fn check_memlock(executors: usize) -> Result<()> {
    let needed = u64::try_from(executors)
        .unwrap_or(u64::MAX)
        .saturating_mul(MEMLOCK_BYTES_PER_EXECUTOR);
    let limit = getrlimit(Resource::Memlock);
    if limit.current.is_none_or(|bytes| bytes >= needed) {
        return Ok(());
    }
    // Up to the hard limit everyone may raise it, above only a privileged process: both are worth a try.
    let maximum = limit.maximum.map(|bytes| bytes.max(needed));
    let raised = Rlimit {
        current: Some(needed),
        maximum,
    };
    if setrlimit(Resource::Memlock, raised).is_ok() {
        return Ok(());
    }
    Err(CliError::failed(format!(
        "locked memory is limited to {} KiB and {executors} cores need {} KiB; raise it (`ulimit -l unlimited`, \
         LimitMEMLOCK=infinity in a systemd unit, `--ulimit memlock=-1` for docker) or serve from fewer cores (--cores N)",
        limit.current.unwrap_or(0) / 1024,
        needed / 1024,
    )))
}

fn check_io_uring() -> Result<()> {
    let Err(errno) = probe_io_uring() else {
        return Ok(());
    };
    let switch = std::fs::read_to_string(IO_URING_SWITCH).unwrap_or_default();
    let switch = switch.trim();
    Err(CliError::failed(if errno == Errno::NOSYS {
        "this kernel has no io_uring; use Linux 5.11 or newer".to_owned()
    } else if !switch.is_empty() && switch != "0" {
        format!(
            "io_uring is switched off on this machine (kernel.io_uring_disabled = {switch}); \
             as root: `sysctl -w kernel.io_uring_disabled=0`"
        )
    } else if errno == Errno::PERM || errno == Errno::ACCESS {
        "io_uring is forbidden to this process, most likely by a container's seccomp profile; \
         allow io_uring_setup, io_uring_enter and io_uring_register (docker: `--security-opt seccomp=unconfined`)"
            .to_owned()
    } else {
        format!("io_uring does not start ({errno}); Corelane needs Linux 5.11 or newer with io_uring")
    }))
}

/// Sets up the smallest ring there is and drops it again.
#[allow(unsafe_code)]
fn probe_io_uring() -> std::result::Result<(), Errno> {
    let mut parameters = rustix::io_uring::io_uring_params::default();
    // SAFETY: without IORING_SETUP_NO_MMAP (the flags are zero) the kernel keeps no pointer into the parameters, and
    // the ring is only closed.
    unsafe { rustix::io_uring::io_uring_setup(2, &mut parameters) }.map(drop)
}

/// Ten thousand clients are ten thousand sockets; the soft limit is often 1,024.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Where this fails the soft limit stays, and accept reports it.
    let _ = setrlimit(Resource::Nofile, raised);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::check_memlock;

    #[test]
    fn one_core_fits_where_tests_run() {
        check_memlock(1).unwrap();
    }
}
