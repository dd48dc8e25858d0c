//! A server that runs for the length of a benchmark, pinned to the server core.

use super::cpu::{self, Process};
use crate::{
    error::{BenchError, Context, Result},
    limits::{CLIENT_CORE, LOG_LINES_QUOTED, POLL_PAUSE, SERVER_CORE, START_MAX, STOP_MAX},
    loadgen::wire::Tls,
    machine,
};
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{RecvTimeoutError, channel},
    time::{Duration, Instant},
};

/// What the line begins with that a program prints once it serves.
const READY_PREFIX: &str = "READY ";

/// A server's first process. Dropping it stops the server.
#[derive(Debug)]
pub struct ServerProcess {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

/// A server that answers.
#[derive(Debug)]
pub struct Server {
    process: ServerProcess,
    address: SocketAddr,
    workers: Vec<Process>,
    tls: Tls,
}

impl ServerProcess {
    /// Starts `program` on the server core; its stderr goes to `log`. It dies with the benchmark.
    pub fn spawn(name: &'static str, program: &Path, arguments: &[&str], log: PathBuf) -> Result<Self> {
        // A child inherits the affinity of the thread that starts it, so no code runs between fork and exec.
        machine::pin(SERVER_CORE)?;
        let process = Self::spawn_anywhere(name, program, arguments, log);
        machine::pin(CLIENT_CORE)?;
        process
    }

    /// The same wherever this thread may run.
    pub fn spawn_anywhere(name: &'static str, program: &Path, arguments: &[&str], log: PathBuf) -> Result<Self> {
        let stderr = File::create(&log).context(format_args!("create {}", log.display()))?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .context(format_args!("start {} by setpriv (of util-linux)", program.display()))?;
        Ok(Self { name, child, log })
    }

    /// Waits for the line `READY {json}` on its standard output. What it prints before goes to `say`; it may take
    /// `patience` over each line.
    pub fn ready<T: DeserializeOwned>(&mut self, patience: Duration, mut say: impl FnMut(&str)) -> Result<T> {
        let Some(stdout) = self.child.stdout.take() else {
            return Err(self.failure("has no standard output"));
        };
        let (give, lines) = channel();
        // Reads on to the end, so that the server can never stall at a full pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
                let _nobody_waits_any_more = give.send(line);
            }
        });
        loop {
            match lines.recv_timeout(patience) {
                Ok(line) => match line.strip_prefix(READY_PREFIX) {
                    Some(json) => {
                        return serde_json::from_str(json).map_err(|error| {
                            self.failure(&format!("says `{line}`, which is not understood: {error}"))
                        });
                    }
                    None => say(&line),
                },
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.failure(&format!("said nothing for {} s", patience.as_secs())));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.failure("did not say that it is ready")),
            }
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready` is true; fails when the process exits or takes too long.
    pub fn wait_until(&mut self, mut ready: impl FnMut() -> bool) -> Result<()> {
        let begun = Instant::now();
        while !ready() {
            if let Some(status) = self.child.try_wait().context(format_args!("wait for {}", self.name))? {
                return Err(self.failure(&format!("ended early ({status})")));
            }
            if begun.elapsed() > START_MAX {
                return Err(self.failure(&format!("was not ready after {} s", START_MAX.as_secs())));
            }
            std::thread::sleep(POLL_PAUSE);
        }
        Ok(())
    }

    /// An error that quotes the end of its log.
    pub fn failure(&self, what: &str) -> BenchError {
        BenchError::Server(format!("{} {what}\n{}", self.name, log_end(&self.log)))
    }

    /// It serves at `address`; `workers` do its work.
    pub fn serving(self, address: SocketAddr, workers: Vec<Process>) -> Server {
        Server {
            process: self,
            address,
            workers,
            tls: None,
        }
    }

    /// SIGKILL. Returns when it is gone.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill().context(format_args!("kill {}", self.name))?;
        self.child.wait().context(format_args!("wait for {}", self.name))?;
        Ok(())
    }

    /// SIGTERM, and SIGKILL when it does not obey.
    fn stop(&mut self) {
        // Once it was waited for, its id may be another's.
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        if let Some(id) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _already_gone = kill_process(id, Signal::TERM);
        }
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begun.elapsed() > STOP_MAX {
                let _already_gone = self.child.kill();
                let _reaped = self.child.wait();
                return;
            }
            std::thread::sleep(POLL_PAUSE);
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Server {
    /// What the report calls it.
    pub fn name(&self) -> &'static str {
        self.process.name
    }

    /// It speaks TLS.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// How TLS is spoken with it.
    pub fn tls(&self) -> Tls {
        self.tls.clone()
    }

    /// Where it listens: Corelane's gateway, or nginx.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The processes that do its work.
    pub fn workers(&self) -> &[Process] {
        &self.workers
    }

    /// Processor time used until now by each of `workers`.
    pub fn cpu_used(&self) -> Result<Vec<Duration>> {
        cpu::used(&self.workers).map_err(|_| self.process.failure("has lost a process"))
    }

    /// Adds the end of the server's log to an error that it may explain.
    pub fn explain(&self, error: BenchError) -> BenchError {
        BenchError::Server(format!(
            "{error}\n{} said last:\n{}",
            self.name(),
            log_end(&self.process.log)
        ))
    }
}

fn log_end(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let end = lines
        .get(lines.len().saturating_sub(LOG_LINES_QUOTED)..)
        .unwrap_or_default();
    end.join("\n")
}
