//! Runs real clients: a clean environment, a home directory of their own, and their output when they fail.

use crate::{
    directory::{Directory, program, workspace},
    store::{ACCESS_KEY, SECRET_KEY, Store},
};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// Environments so large that only `./scripts/test --all-clients` makes them.
const HEAVY_ENVIRONMENTS: [&str; 2] = ["pytorch", "tensorflow"];

/// Clients configured for one store, as its first user.
#[derive(Debug)]
pub struct Clients {
    home: Directory,
    /// `127.0.0.1:port`.
    server: String,
    access_key: String,
    secret_key: String,
    /// With https: what they are to trust.
    certificate: Option<PathBuf>,
}

/// How a client ended.
#[derive(Debug)]
pub struct Ended {
    /// 0 is success; -1 a signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    what: String,
}

impl Clients {
    /// For this store.
    pub fn new(store: &Store) -> Self {
        Self::with_key(store, ACCESS_KEY, SECRET_KEY)
    }

    /// For this store, with another key.
    pub fn with_key(store: &Store, access_key: &str, secret_key: &str) -> Self {
        Self {
            certificate: store.speaks_tls().then(|| store.certificate_file()),
            ..Self::at(store.port(), access_key, secret_key)
        }
    }

    /// For a store on this machine, with this key.
    pub fn at(port: u16, access_key: &str, secret_key: &str) -> Self {
        Self {
            home: Directory::new(),
            server: format!("127.0.0.1:{port}"),
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            certificate: None,
        }
    }

    /// The clients' working directory, for files that go up and down.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Who they are.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// How they prove it.
    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// `http://host:port/s3`, or https.
    pub fn endpoint(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/s3", self.server)
    }

    /// s3cmd with the flags that `corelane serve` prints.
    #[track_caller]
    pub fn s3cmd(&self, arguments: &[&str]) -> Ended {
        self.s3cmd_of(Path::new("s3cmd"), arguments)
    }

    /// Another s3cmd than the one of this machine.
    #[track_caller]
    pub fn s3cmd_of(&self, program: &Path, arguments: &[&str]) -> Ended {
        let mut command = self.command(program);
        command
            .arg(format!("--access_key={}", self.access_key))
            .arg(format!("--secret_key={}", self.secret_key))
            .arg(format!("--host={}/s3", self.server))
            .arg(format!("--host-bucket={}/s3/%(bucket)", self.server))
            .args(["--region", "us-east-1", "--no-progress"]);
        match &self.certificate {
            None => command.arg("--no-ssl"),
            Some(certificate) => command.arg("--ssl").arg("--ca-certs").arg(certificate),
        };
        command.args(arguments);
        run(command)
    }

    /// The AWS command line.
    #[track_caller]
    pub fn aws(&self, arguments: &[&str]) -> Ended {
        let mut command = self.command(&venv("aws"));
        command.args(["--endpoint-url", &self.endpoint()]).args(arguments);
        run(command)
    }

    /// A script of `tests/clients`, with the endpoint as its first argument.
    #[track_caller]
    pub fn python(&self, script: &str, arguments: &[&str]) -> Ended {
        let mut command = self.command(&venv("python"));
        command
            .arg(workspace().join("tests/clients").join(script))
            .arg(self.endpoint())
            .args(arguments);
        run(command)
    }

    /// Python source, given on the command line.
    #[track_caller]
    pub fn python_source(&self, source: &str) -> Ended {
        let mut command = self.command(&venv("python"));
        command.args(["-c", source]);
        run(command)
    }

    /// curl that signs.
    #[track_caller]
    pub fn curl(&self, arguments: &[&str]) -> Ended {
        let mut command = self.command(Path::new("curl"));
        command
            .args([
                "--silent",
                "--show-error",
                "--aws-sigv4",
                "aws:amz:us-east-1:s3",
                "--user",
            ])
            .arg(format!("{}:{}", self.access_key, self.secret_key))
            .args(arguments);
        run(command)
    }

    /// curl that does not sign.
    #[track_caller]
    pub fn plain_curl(&self, arguments: &[&str]) -> Ended {
        let mut command = self.command(Path::new("curl"));
        command.args(["--silent", "--show-error"]).args(arguments);
        run(command)
    }

    /// A command of `corelane` that talks to the store.
    #[track_caller]
    pub fn corelane(&self, arguments: &[&str]) -> Ended {
        let mut command = self.command(&program("corelane"));
        command
            .args(arguments)
            .env("CORELANE_ENDPOINT", self.endpoint())
            .env("CORELANE_ACCESS_KEY", &self.access_key)
            .env("CORELANE_SECRET_KEY", &self.secret_key);
        run(command)
    }

    /// A line of shell with the credentials in the environment, as a person pastes it.
    #[track_caller]
    pub fn shell(&self, line: &str) -> Ended {
        let mut command = self.command(Path::new("bash"));
        let path = format!("{}:{}", venv("").display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).args(["-euo", "pipefail", "-c", line]);
        run(command)
    }

    /// A program with the credentials in its environment, and nothing of this process' own but `PATH`.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", self.home())
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("AWS_ACCESS_KEY_ID", &self.access_key)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret_key)
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .current_dir(self.home());
        if let Some(certificate) = &self.certificate {
            command
                .env("AWS_CA_BUNDLE", certificate)
                .env("CURL_CA_BUNDLE", certificate);
        }
        command
    }
}

impl Ended {
    /// Panics, with the output, unless it succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.code == 0, "{self}");
        self
    }

    /// Panics, with the output, unless it failed in an orderly way and said this.
    #[track_caller]
    pub fn fails_with(self, text: &str) -> Self {
        assert!(
            self.code > 0 && (self.stderr.contains(text) || self.stdout.contains(text)),
            "{self}"
        );
        self
    }

    /// Panics, with the output, unless standard output holds this.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no {text:?}: {self}");
        self
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} ended with {}\n{}\n{}",
            self.what, self.code, self.stdout, self.stderr
        )
    }
}

/// A program of the virtual environment that most Python clients share.
fn venv(name: &str) -> PathBuf {
    program_of_environment("base", name)
}

/// A program of one of the virtual environments that `./scripts/test` makes from `tests/requirements`.
pub fn program_of_environment(environment: &str, name: &str) -> PathBuf {
    let path = workspace().join(".venv").join(environment).join("bin").join(name);
    let flag = if HEAVY_ENVIRONMENTS.contains(&environment) {
        " --all-clients"
    } else {
        ""
    };
    assert!(
        path.exists(),
        "{} is missing; ./scripts/test{flag} installs it",
        path.display()
    );
    path
}

/// Runs a command to its end.
#[track_caller]
pub fn run(mut command: Command) -> Ended {
    let what = format!("{command:?}");
    let Output { status, stdout, stderr } = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{what}: {error}; ./scripts/test installs what the tests need"));
    Ended {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        what,
    }
}
