//! The client matrix: runs a script of `tests/clients` against a store of every route, over http or https, and looks in the
//! store's metrics which way its requests went.

use crate::{
    command::{Clients, program_of_environment, run},
    directory::workspace,
    metrics::sum,
    store::Store,
};
use std::path::{Path, PathBuf};

/// Every way to the cores that clients are tried with.
pub const ROUTES: &[Route] = &[Route::Handoff, Route::Auto, Route::Redirect, Route::Proxy];

/// Flags of `corelane serve` besides the route, for what some clients use and the store does not do by default.
const SERVE_FLAGS: &[&str] = &["--allow-sigv2"];

/// What a script prints at its end, and a step of it that was left out because the store cannot do it yet.
const PASSED: &str = "all passed";
const NOT_RUN: &str = "not run: ";

/// How a store is told to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// As it does by default on one host, where it is plain HTTP: connections are passed to the cores.
    Handoff,
    /// By the table of what clients are known to follow.
    Auto,
    /// All object data is redirected.
    Redirect,
    /// Nothing is.
    Proxy,
}

/// How the store is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain.
    Http,
    /// With the certificate that the store made for itself.
    Https,
}

/// Where a program comes from.
#[derive(Debug, Clone, Copy)]
pub enum Program {
    /// A virtual environment made from `tests/requirements`, and the program's name there.
    Environment(&'static str, &'static str),
    /// A file on this machine, and what installs it.
    Installed(&'static str, &'static str),
}

/// How many of a client's requests are redirected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirected {
    /// None.
    None,
    /// Some: those for which its row of the table says so.
    Some,
    /// The first ones, until it is known that it comes back.
    Once,
    /// As it happens: small uploads follow, large ones are not tried.
    Any,
}

/// What a client follows when everything is redirected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// Nothing: `--route redirect` is not for it.
    Nothing,
    /// Requests without a body; another client has to upload.
    Reads,
    /// Uploads, too.
    Everything,
}

/// Whether a client can be told not to verify certificates, besides being given the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificates {
    /// It can.
    VerifiedOrNot,
    /// It always verifies.
    Verified,
}

/// One line of the matrix.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// What runs the script.
    pub interpreter: Program,
    /// The script, below `tests/clients`.
    pub script: &'static str,
    /// The program the script drives, its first argument.
    pub program: Option<Program>,
    /// Further arguments.
    pub arguments: &'static [&'static str],
    /// What it follows.
    pub follows: Follows,
    /// Its GETs with `--route auto`.
    pub reads: Redirected,
    /// Its PUTs with `--route auto`.
    pub uploads: Redirected,
    /// Its ways with a self-signed certificate.
    pub certificates: Certificates,
}

impl Route {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Handoff => &["--route", "auto"],
            Self::Auto => &["--route", "auto", "--no-handoff"],
            Self::Redirect => &["--route", "redirect"],
            Self::Proxy => &["--route", "proxy"],
        }
    }
}

impl Program {
    fn path(self) -> PathBuf {
        match self {
            Self::Environment(environment, name) => program_of_environment(environment, name),
            Self::Installed(path, package) => {
                let path = workspace().join(path);
                let way = format!("./scripts/test installs it, or: {package}");
                assert!(path.exists(), "{} is missing; {way}", path.display());
                path
            }
        }
    }
}

impl Client {
    /// Runs the script with every route that is for this client.
    #[track_caller]
    pub fn try_every_route(&self, scheme: Scheme) {
        for route in ROUTES {
            let is_for_it = match route {
                Route::Handoff => scheme == Scheme::Http,
                Route::Redirect => self.follows != Follows::Nothing,
                Route::Auto | Route::Proxy => true,
            };
            if is_for_it {
                self.try_route(scheme, *route);
            }
        }
    }

    #[track_caller]
    fn try_route(&self, scheme: Scheme, route: Route) {
        let mut flags = [route.flags(), SERVE_FLAGS].concat();
        if scheme == Scheme::Https {
            flags.push("--tls");
        }
        let store = Store::start_with(&flags);
        let target = Target::new(&store, scheme);
        // Each form of verification once: two runs are enough for both.
        let verifies = route != Route::Proxy || self.certificates == Certificates::Verified;
        let witness_puts = route == Route::Redirect && self.follows == Follows::Reads;
        let mut command = target.clients.command(&self.interpreter.path());
        command
            .arg(workspace().join("tests/clients").join(self.script))
            .args(self.program.map(Program::path))
            .args(self.arguments)
            // The script gives its client the certificate the way the README says.
            .env_remove("AWS_CA_BUNDLE")
            .env("CORELANE_HOST", &target.host)
            .env("CORELANE_ENDPOINT", &target.endpoint)
            .env("CORELANE_BUCKET", "matrix")
            .env("CORELANE_WITNESS_PUTS", if witness_puts { "1" } else { "" });
        if let Some(certificate) = &target.certificate {
            command
                .env("CORELANE_CA", certificate)
                .env("CORELANE_VERIFY", if verifies { "ca" } else { "no" });
            if self.script.starts_with("javascript/") {
                // Node reads these when it starts, and no script can set them later.
                if verifies {
                    command.env("NODE_EXTRA_CA_CERTS", certificate);
                } else {
                    command.env("NODE_TLS_REJECT_UNAUTHORIZED", "0");
                }
            }
        }
        let ended = run(command);
        println!("{} {route:?}\n{}", target.endpoint, ended.stdout);
        assert!(
            ended.code == 0 && ended.stdout.trim_end().ends_with(PASSED),
            "{route:?}: {ended}"
        );
        for line in ended.stdout.lines().filter(|line| line.starts_with(NOT_RUN)) {
            eprintln!("{}: {line}", self.script);
        }
        self.check_ways(route, &target.metrics());
    }

    /// Whether the requests went where they should have gone.
    #[track_caller]
    fn check_ways(&self, route: Route, metrics: &str) {
        let (reads, uploads) = match route {
            Route::Auto => (self.reads, self.uploads),
            Route::Handoff | Route::Proxy => (Redirected::None, Redirected::None),
            Route::Redirect if self.follows == Follows::Everything => (Redirected::Some, Redirected::Some),
            Route::Redirect => (Redirected::Some, Redirected::Any),
        };
        // Which of its requests are the first on their connections is a client's own affair.
        let handed = sum(metrics, "corelane_gateway_requests_total", &[("way", "handoff")]);
        assert_eq!(
            handed > 0,
            route == Route::Handoff,
            "{route:?}: {handed} connections were passed on"
        );
        for (operation, expected) in [("GetObject", reads), ("PutObject", uploads)] {
            let count = |way| {
                let labels = [("operation", operation), ("way", way)];
                sum(metrics, "corelane_gateway_requests_total", &labels)
            };
            let (redirected, proxied) = (count("redirect"), count("proxy"));
            let as_expected = match expected {
                Redirected::None => redirected == 0,
                Redirected::Some => redirected > 0,
                Redirected::Any => true,
                Redirected::Once => (1..=3).contains(&redirected) && proxied > redirected,
            };
            assert!(
                as_expected,
                "{operation}, {route:?}: {redirected} redirected, {proxied} proxied, expected: {expected:?}"
            );
        }
    }
}

/// Where the store is, for a client.
#[derive(Debug)]
pub struct Target {
    /// Programs with the store's credentials.
    pub clients: Clients,
    /// `127.0.0.1:51080`.
    pub host: String,
    /// `https://127.0.0.1:51080/s3`.
    pub endpoint: String,
    /// The file with the certificate, over https.
    pub certificate: Option<PathBuf>,
}

impl Target {
    /// Of a store that was started with or without `--tls`.
    pub fn new(store: &Store, scheme: Scheme) -> Self {
        let host = format!("127.0.0.1:{}", store.port());
        let (protocol, certificate) = match scheme {
            Scheme::Http => ("http", None),
            Scheme::Https => ("https", Some(store.data().join("control/tls/cert.pem"))),
        };
        Self {
            clients: Clients::new(store),
            endpoint: format!("{protocol}://{host}/s3"),
            host,
            certificate,
        }
    }

    fn metrics(&self) -> String {
        let url = self.endpoint.replace("/s3", "/v1/metrics");
        let certificate = self.certificate.as_deref().map(Path::to_str).map(Option::unwrap);
        let flags = certificate.map_or_else(Vec::new, |file| vec!["--cacert", file]);
        self.clients.curl(&[&flags[..], &["--fail", &url]].concat()).ok().stdout
    }
}
