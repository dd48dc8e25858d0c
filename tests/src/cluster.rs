//! A gateway and a node, each started, stopped and killed on its own, in a directory that they share.

use crate::{
    client::{Ports, signed},
    directory::{Directory, files, program},
    process::{neighbouring_ports, signal},
    raw::{Connection, Response},
    request::Request,
    store::{ACCESS_KEY, SECRET_KEY, cores},
};
use rustix::process::Signal;
use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

/// The two processes. Killed, with their directory removed, when dropped; a test that failed keeps the directory.
#[derive(Debug)]
pub struct Cluster {
    directory: Directory,
    mountpaths: usize,
    node_arguments: Vec<String>,
    gateway: Option<Running>,
    node: Option<Running>,
    /// The first of the ports for nodes that come back on the same ones.
    fixed_port: u16,
}

#[derive(Debug)]
struct Running {
    child: Child,
    ready: serde_json::Value,
    /// Open as long as the process lives, which must not die of writing to it.
    _output: BufReader<ChildStdout>,
}

impl Cluster {
    /// Both processes, the node with so many mountpaths and further flags.
    pub fn start(mountpaths: usize, node_arguments: &[&str]) -> Self {
        let mut cluster = Self::start_without_node(mountpaths, node_arguments);
        cluster.start_node(false);
        cluster
    }

    /// The gateway; the node has never run.
    pub fn start_without_node(mountpaths: usize, node_arguments: &[&str]) -> Self {
        let directory = Directory::new();
        std::fs::write(directory.join("cluster.key"), "5a".repeat(32)).unwrap();
        let credentials = serde_json::json!({ "access_key": ACCESS_KEY, "secret_key": SECRET_KEY });
        std::fs::write(directory.join("credentials.json"), credentials.to_string()).unwrap();
        let mut cluster = Self {
            directory,
            mountpaths,
            node_arguments: node_arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            gateway: None,
            node: None,
            fixed_port: neighbouring_ports()[0].local_addr().unwrap().port(),
        };
        cluster.start_gateway();
        cluster
    }

    /// Gives the node other flags from its next start on.
    pub fn set_node_arguments(&mut self, node_arguments: &[&str]) {
        self.node_arguments = node_arguments.iter().map(|argument| (*argument).to_owned()).collect();
    }

    /// Sends a signed request to the gateway on a new connection.
    #[track_caller]
    pub fn send(&self, request: Request) -> Response {
        let port = self.gateway_port();
        let mut connection = Connection::open(port);
        connection.send(&signed(port, request.clone()).to_bytes());
        connection.receive(&request.method)
    }

    /// Where the two listen.
    pub fn ports(&self) -> Ports {
        let port = |value: &serde_json::Value| u16::try_from(value.as_u64().unwrap()).unwrap();
        let node = self.node.as_ref().expect("the node runs");
        Ports {
            gateway: self.gateway_port(),
            cores: node.ready["ports"].as_array().unwrap().iter().map(port).collect(),
        }
    }

    /// The file with the cluster key.
    pub fn cluster_key_file(&self) -> PathBuf {
        self.directory.join("cluster.key")
    }

    /// How many objects' contents the node keeps in files of their own.
    pub fn blob_count(&self) -> usize {
        let is_blob = |(path, _): &(PathBuf, u64)| path.components().any(|part| part.as_os_str() == "blob");
        files(self.directory.path()).iter().filter(|file| is_blob(file)).count()
    }

    /// Starts the gateway.
    pub fn start_gateway(&mut self) {
        assert!(self.gateway.is_none(), "the gateway runs");
        let mut command = Command::new(program("corelane-gateway"));
        command
            .args(["--listen", "127.0.0.1:0", "--state"])
            .arg(self.directory.join("gateway"))
            .arg("--credentials-file")
            .arg(self.directory.join("credentials.json"));
        self.gateway = Some(self.wait_until_ready(command, "gateway.log"));
    }

    /// Starts the node and waits until it serves. It may have the ports that it had when this was last asked for.
    pub fn start_node(&mut self, on_fixed_ports: bool) {
        assert!(self.node.is_none(), "the node runs");
        let command = self.node_command(on_fixed_ports);
        self.node = Some(self.wait_until_ready(command, "node.log"));
    }

    /// Begins to start the node, and kills it when `moment` is over, wherever it is then.
    pub fn kill_node_at_start(&mut self, on_fixed_ports: bool, moment: impl FnOnce()) {
        assert!(self.node.is_none(), "the node runs");
        let mut command = self.node_command(on_fixed_ports);
        let mut child = self.spawn(&mut command, "node.log");
        moment();
        kill(&mut child);
    }

    /// SIGKILL to the gateway; returns when it is gone.
    pub fn kill_gateway(&mut self) {
        kill(&mut self.gateway.take().expect("the gateway runs").child);
    }

    /// SIGKILL to the node; returns when it is gone.
    pub fn kill_node(&mut self) {
        kill(&mut self.node.take().expect("the node runs").child);
    }

    /// Asks the node to stop, and does not wait for it.
    pub fn ask_node_to_stop(&self) {
        signal(self.node.as_ref().expect("the node runs").child.id(), Signal::TERM);
    }

    /// Asks the node to stop and waits until it has; it must end well.
    pub fn stop_node(&mut self) {
        self.ask_node_to_stop();
        let status = self.node.take().expect("the node runs").child.wait().unwrap();
        assert!(
            status.success(),
            "the node stopped with {status}\n{}",
            self.log("node.log")
        );
    }

    /// Panics when the node has logged an error: nothing that kills do to it is one.
    #[track_caller]
    pub fn assert_no_errors(&self) {
        let log = self.log("node.log");
        let errors: Vec<&str> = log
            .lines()
            .filter(|line| line.contains(" ERROR ") || line.contains("panicked at") || line.starts_with("error:"))
            .collect();
        assert!(errors.is_empty(), "the node logged errors:\n{}", errors.join("\n"));
    }

    fn gateway_port(&self) -> u16 {
        let ready = &self.gateway.as_ref().expect("the gateway runs").ready;
        u16::try_from(ready["port"].as_u64().unwrap()).unwrap()
    }

    fn node_command(&self, on_fixed_ports: bool) -> Command {
        let mut command = Command::new(program("corelane-node"));
        for number in 0..self.mountpaths {
            command
                .arg("--mountpath")
                .arg(self.directory.join(format!("data-{number}")));
        }
        let port = if on_fixed_ports { self.fixed_port } else { 0 };
        command
            .args(["--port", &port.to_string(), "--cores", &cores().to_string()])
            .args(["--gateway", &format!("127.0.0.1:{}", self.gateway_port())])
            .args(["--advertise", "127.0.0.1"])
            .args(&self.node_arguments);
        command
    }

    fn spawn(&self, command: &mut Command, log: &str) -> Child {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.directory.join(log))
            .unwrap();
        command
            .arg("--cluster-key-file")
            .arg(self.cluster_key_file())
            .env_remove("CORELANE_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn wait_until_ready(&self, mut command: Command, log: &str) -> Running {
        let mut child = self.spawn(&mut command, log);
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let Some(ready) = line.strip_prefix("READY ") else {
            let status = child.wait().unwrap();
            panic!("{command:?} did not start ({status}): {line}\n{}", self.log(log));
        };
        Running {
            ready: serde_json::from_str(ready).unwrap(),
            child,
            _output: output,
        }
    }

    fn log(&self, name: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.directory.join(name)).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for mut running in [self.gateway.take(), self.node.take()].into_iter().flatten() {
            kill(&mut running.child);
        }
        if std::thread::panicking() {
            self.directory.keep();
            let log = self.log("node.log");
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "The end of the node's log:\n{}",
                lines[lines.len().saturating_sub(40)..].join("\n")
            );
        }
    }
}

fn kill(child: &mut Child) {
    // It may have ended by itself, which is as good.
    let _ = child.kill();
    child.wait().unwrap();
}
