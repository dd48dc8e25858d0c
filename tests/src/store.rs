//! A store made of the real binaries: `corelane serve` with a gateway and a node, on free ports, in a directory of its
//! own.

use crate::{
    directory::{Directory, program},
    process::{children, is_running, wait_for},
    raw::{Connection, Response},
    request::Request,
    sign::Signer,
    small_disk::SmallDisk,
    tickets::parts,
    tls::Trust,
};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
};

/// The access key of every test store.
pub const ACCESS_KEY: &str = "TESTACCESSKEY0000001";
/// Its secret.
pub const SECRET_KEY: &str = "test-secret-key-of-forty-characters-0001";

/// A running store. Killed, with its directory removed, when dropped.
#[derive(Debug)]
pub struct Store {
    directory: Directory,
    disk: Option<SmallDisk>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    serve: Child,
    port: u16,
    core_ports: Vec<u16>,
    website_port: Option<u16>,
    /// Gateway and node.
    children: Vec<(u32, String)>,
}

impl Store {
    /// A store with the defaults: `--route auto`.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// A store with further flags of `corelane serve`.
    pub fn start_with(arguments: &[&str]) -> Self {
        Self::start_with_environment(arguments, &[])
    }

    /// A store with further flags and environment variables.
    pub fn start_with_environment(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start_in(Directory::new(), None, arguments, environment)
    }

    /// A store whose data directory is a file system of so many bytes. `None`, with the reason on standard error, where
    /// tests may not mount one.
    pub fn start_on_small_disk(bytes: u64, arguments: &[&str]) -> Option<Self> {
        let directory = Directory::new();
        let disk = SmallDisk::new(directory.join("disk"), directory.join("data"), bytes)?;
        Some(Self::start_in(directory, Some(disk), arguments, &[]))
    }

    fn start_in(
        directory: Directory,
        disk: Option<SmallDisk>,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let mut store = Self {
            directory,
            disk,
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            environment: environment
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
            running: None,
        };
        store.start_again();
        store
    }

    /// Where the gateway listens.
    pub fn port(&self) -> u16 {
        self.running.as_ref().unwrap().port
    }

    /// Where the cores listen.
    pub fn core_ports(&self) -> &[u16] {
        &self.running.as_ref().unwrap().core_ports
    }

    /// Where it serves web sites, with `--website-port`.
    pub fn website_port(&self) -> u16 {
        self.running.as_ref().unwrap().website_port.unwrap()
    }

    /// `http://127.0.0.1:port/s3`, or https.
    pub fn endpoint(&self) -> String {
        let scheme = if self.speaks_tls() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}/s3", self.port())
    }

    /// Whether it was started with `--tls`.
    pub fn speaks_tls(&self) -> bool {
        self.arguments.iter().any(|argument| argument == "--tls")
    }

    /// The certificate it has made for itself.
    pub fn certificate_file(&self) -> PathBuf {
        self.data().join("control/tls/cert.pem")
    }

    /// Trusts the certificate it has made for itself.
    pub fn trust(&self) -> Trust {
        Trust::file(&self.certificate_file())
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// The process id of `corelane serve`.
    pub fn pid(&self) -> u32 {
        self.running.as_ref().unwrap().serve.id()
    }

    /// The process id of `corelane-gateway` or `corelane-node`.
    pub fn child_pid(&self, name: &str) -> u32 {
        let children = &self.running.as_ref().unwrap().children;
        children.iter().find(|(_, program)| program == name).unwrap().0
    }

    /// What the processes wrote to standard error so far, of all starts.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Starts a store that was stopped, on the same data.
    pub fn start_again(&mut self) {
        assert!(self.running.is_none(), "the store runs");
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.directory.join("log"))
            .unwrap();
        let mut serve = self.command().stderr(log).spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(serve.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let Some(ready) = line.strip_prefix("READY ") else {
            let status = serve.wait().unwrap();
            panic!("the store did not start ({status}): {line}\n{}", self.log());
        };
        // Its end is closed when the process ends; nothing more is said on it.
        std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
        let ready: serde_json::Value = serde_json::from_str(ready).unwrap();
        let port = |value: &serde_json::Value| u16::try_from(value.as_u64().unwrap()).unwrap();
        let children = children(serve.id());
        assert_eq!(children.len(), 2, "{children:?}");
        self.running = Some(Running {
            port: port(&ready["port"]),
            website_port: ready.get("website_port").map(port),
            core_ports: ready["core_ports"].as_array().unwrap().iter().map(port).collect(),
            children,
            serve,
        });
    }

    /// Begins to start a store that was stopped, and kills all of it when `moment` is over, wherever it is then.
    pub fn kill9_at_start(&self, moment: impl FnOnce()) {
        assert!(self.running.is_none(), "the store runs");
        let mut serve = self.command().stderr(Stdio::null()).spawn().unwrap();
        moment();
        let children = children(serve.id());
        let _ = kill_process_group(pid(serve.id()), Signal::KILL);
        serve.wait().unwrap();
        wait_until_gone(&children);
    }

    /// SIGKILL to one of the three processes, which is the end of the others; returns when they are gone.
    pub fn kill9_one(&mut self, name: &str) {
        let mut running = self.running.take().unwrap();
        let of_name = running.children.iter().find(|(_, program)| program == name);
        let victim = of_name.map_or(running.serve.id(), |(child, _)| *child);
        kill_process(pid(victim), Signal::KILL).unwrap();
        running.serve.wait().unwrap();
        wait_until_gone(&running.children);
    }

    fn command(&self) -> Command {
        let mut command = serve_through(self.disk.as_ref());
        command
            .args(["--json", "--port", "0", "--cores", &cores().to_string(), "--data"])
            .arg(self.data())
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(n, v)| (n, v)))
            .stdout(Stdio::piped());
        command
    }

    /// SIGTERM; the exit status once all processes are gone.
    pub fn stop(&mut self) -> ExitStatus {
        let mut running = self.running.take().unwrap();
        kill_process(pid(running.serve.id()), Signal::TERM).unwrap();
        let status = running.serve.wait().unwrap();
        wait_until_gone(&running.children);
        status
    }

    /// Waits until `corelane serve` ends by itself.
    pub fn wait(&mut self) -> ExitStatus {
        self.running.take().unwrap().serve.wait().unwrap()
    }

    /// SIGKILL to all three processes at once; returns when they are gone.
    pub fn kill9(&mut self) {
        self.running.take().unwrap().kill();
    }

    /// Stops and starts.
    pub fn restart(&mut self) {
        assert!(self.stop().success());
        self.start_again();
    }

    /// A connection to the gateway.
    pub fn connect(&self) -> Connection {
        self.connect_to(self.port())
    }

    /// A connection to one of its ports, with TLS if it speaks that.
    pub fn connect_to(&self, port: u16) -> Connection {
        match self.speaks_tls() {
            true => Connection::open_tls(port, &self.trust()),
            false => Connection::open(port),
        }
    }

    /// Signs as the first user, now.
    pub fn signer(&self) -> Signer {
        Signer::new(ACCESS_KEY, SECRET_KEY)
    }

    /// The request with a Host header for the gateway, and a User-Agent no routing table knows unless it has one.
    pub fn addressed(&self, request: Request) -> Request {
        let request = request.header("Host", format!("127.0.0.1:{}", self.port()));
        if request.header_value("user-agent").is_some() {
            return request;
        }
        request.header("User-Agent", "corelane-tests")
    }

    /// The request, addressed and signed as the first user.
    pub fn signed(&self, request: Request) -> Request {
        self.signer().sign(self.addressed(request))
    }

    /// Signs a request as the first user and sends it on a new connection.
    #[track_caller]
    pub fn send(&self, request: Request) -> Response {
        self.send_as_is(&self.signed(request))
    }

    /// Sends a request as it is on a new connection to the gateway.
    #[track_caller]
    pub fn send_as_is(&self, request: &Request) -> Response {
        let mut connection = self.connect();
        // A store may answer before it has read the body, and close: then the answer is what counts.
        let _ = connection.try_send(&request.to_bytes());
        connection.receive(&request.method)
    }

    /// Signs a request as the first user, sends it, and follows a redirect as curl and other clients do: the same
    /// request to the Location, without Authorization.
    #[track_caller]
    pub fn send_following(&self, request: Request) -> Response {
        let request = self.signed(request);
        let answer = self.send_as_is(&request);
        if answer.status != 307 {
            return answer;
        }
        let location = answer.header("location").expect("a Location");
        let (port, target) = parts(location);
        follow_on(self.connect_to(port), &request, port, &target)
    }

    /// Makes a bucket.
    #[track_caller]
    pub fn make_bucket(&self, bucket: &str) {
        self.send(Request::bucket("PUT", bucket)).expect_status(200);
    }

    /// Configures a bucket's versioning: `Enabled` or `Suspended`.
    #[track_caller]
    pub fn set_versioning(&self, bucket: &str, status: &str) {
        let body = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
        let request = Request::bucket("PUT", bucket).subresource("versioning").body(body);
        self.send(request).expect_status(200);
    }

    /// Makes a bucket that keeps versions.
    #[track_caller]
    pub fn make_versioned_bucket(&self, bucket: &str) {
        self.make_bucket(bucket);
        self.set_versioning(bucket, "Enabled");
    }

    /// Puts an object.
    #[track_caller]
    pub fn put(&self, bucket: &str, key: &str, body: impl Into<Vec<u8>>) -> Response {
        self.send(Request::object("PUT", bucket, key).body(body))
            .expect_status(200)
    }

    /// Gets an object, whatever comes.
    #[track_caller]
    pub fn get(&self, bucket: &str, key: &str) -> Response {
        self.send(Request::object("GET", bucket, key))
    }

    /// The keys of a bucket, all pages.
    #[track_caller]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let mut keys = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut request = Request::bucket("GET", bucket).query("list-type", "2");
            if let Some(token) = &token {
                request = request.query("continuation-token", token);
            }
            let page = self.send(request).expect_status(200).text();
            keys.extend(crate::xml::texts(&page, "Key"));
            token = crate::xml::text(&page, "NextContinuationToken");
            if token.is_none() {
                return keys;
            }
        }
    }
}

impl Running {
    fn kill(mut self) {
        // The group of its own holds serve, gateway and node.
        let _ = kill_process_group(pid(self.serve.id()), Signal::KILL);
        self.serve.wait().unwrap();
        wait_until_gone(&self.children);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "The end of the store's log:\n{}",
                lines[lines.len().saturating_sub(60)..].join("\n")
            );
        }
    }
}

fn wait_until_gone(children: &[(u32, String)]) {
    wait_for("the children to end", || {
        children.iter().all(|(child, _)| !is_running(*child)).then_some(())
    });
}

/// `corelane serve` without flags: in a process group of its own, with the tests' credentials.
pub fn serve_command() -> Command {
    serve_through(None)
}

fn serve_through(disk: Option<&SmallDisk>) -> Command {
    let mut command = match disk {
        Some(disk) => disk.command(&program("corelane")),
        None => Command::new(program("corelane")),
    };
    command
        .arg("serve")
        .env_remove("CORELANE_LOG")
        .env("CORELANE_ACCESS_KEY", ACCESS_KEY)
        .env("CORELANE_SECRET_KEY", SECRET_KEY)
        .stdin(Stdio::null())
        .process_group(0);
    command
}

/// Sends a plain request straight to a port.
pub fn direct(port: u16, method: &str, target: &str, body: &str) -> Response {
    follow(&Request::new(method, "/").body(body), port, target)
}

/// Where the store redirects a request.
#[track_caller]
pub fn location(store: &Store, request: Request) -> String {
    let answer = store.send(request).expect_status(307);
    answer.header("location").expect("a Location").to_owned()
}

/// Sends a signed request to where a redirect points: same method, headers and body, but its own Host and no
/// Authorization.
#[track_caller]
pub fn follow(request: &Request, port: u16, target: &str) -> Response {
    follow_on(Connection::open(port), request, port, target)
}

#[track_caller]
fn follow_on(mut connection: Connection, request: &Request, port: u16, target: &str) -> Response {
    let mut redirected = request
        .clone()
        .without_header("authorization")
        .without_header("host")
        .header("Host", format!("127.0.0.1:{port}"));
    redirected.path = target.to_owned();
    redirected.parameters.clear();
    connection.send(&redirected.to_bytes());
    connection.receive(&request.method)
}

/// Two lanes where there are two cores: enough for everything that differs between cores, on any machine alike.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(2)
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.try_into().unwrap()).unwrap()
}
