//! Looking at other processes through /proc.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// How long a condition is waited for before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` gives a value; panics with `what` when it does not come.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Two neighbouring ports that are free: below those the kernel gives to clients and to port 0, so that no other test
/// gets one of them by chance. Never the same ones twice, for as long as this process lives.
pub fn neighbouring_ports() -> [TcpListener; 2] {
    static ATTEMPTS: AtomicU32 = AtomicU32::new(0);
    let bind = |port: u32| TcpListener::bind(("127.0.0.1", u16::try_from(port).ok()?)).ok();
    (0..5000)
        .map(|_| ATTEMPTS.fetch_add(1, Ordering::Relaxed))
        .map(|attempt| 20_000 + 2 * ((std::process::id() * 31 + attempt) % 5000))
        .find_map(|port| Some([bind(port)?, bind(port + 1)?]))
        .expect("free ports")
}

/// The children of a process with the names of their programs.
pub fn children(pid: u32) -> Vec<(u32, String)> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace()
        .filter_map(|child| {
            let child = child.parse().ok()?;
            let program = std::fs::read_link(format!("/proc/{child}/exe")).ok()?;
            Some((child, program.file_name()?.to_string_lossy().into_owned()))
        })
        .collect()
}

/// Whether a process runs; a zombie does not.
pub fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| stat.rsplit(") ").next().map(|rest| !rest.starts_with('Z')))
        .unwrap_or(false)
}

/// Resident memory of a process, in bytes.
pub fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kibibytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes * 1024
}

/// Open files of a process: path, or what the kernel calls it (`socket:[..]`).
pub fn open_files(pid: u32) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .collect()
}

/// Sends a signal; panics when it cannot.
pub fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Lets this process open as many files as it may: tests hold thousands of connections.
pub fn raise_open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    limit.maximum.unwrap_or(u64::MAX)
}
