//! What a store is started with: flags over environment variables over the configuration file over defaults.

use super::ServeArgs;
use crate::{
    certificate::CertificateFiles,
    error::{CliError, Result},
    private_file,
};
use proto::settings::{
    SETTINGS, document, file, find, names,
    values::{Layer, Layers},
};
use std::{io, path::Path, process::Command};

/// The environment variable that names the configuration file.
pub const FILE_VARIABLE: &str = "CORELANE_CONFIG";
/// The configuration file's name in `control`.
const FILE_NAME: &str = "corelane.toml";
/// What the log's filter is passed on in.
const FILTER_VARIABLE: &str = "CORELANE_LOG";

/// Everything that was said, checked; nothing is made or changed.
pub fn gather(args: &ServeArgs) -> Result<Layers> {
    let flags = flags(args)?;
    let environment = environment(|name| std::env::var(name).ok())?;
    let path = match (&args.config, args.data.first()) {
        (Some(path), _) => path.clone(),
        (None, Some(data)) => data.join("control").join(FILE_NAME),
        (None, None) => return Err(CliError::usage("--data DIR is missing")),
    };
    let path = std::path::absolute(&path).map_err(|error| unusable(&path, &error))?;
    let layers = Layers {
        file: read(&path, args.config.is_some())?,
        path: Some(path),
        environment,
        flags,
        derived: Layer::new(),
    };
    layers.check().map_err(CliError::usage)?;
    Ok(layers)
}

/// What a file says; one that is named must be there.
fn read(path: &Path, is_named: bool) -> Result<Layer> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        // What is wrong with a data directory is for others to say.
        Err(error) if is_missing(&error) && !is_named => return Ok(Layer::new()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(CliError::failed(format!(
                "there is no configuration file {0}; make one with `corelane config template > {0}`",
                path.display()
            )));
        }
        Err(error) => return Err(unusable(path, &error)),
    };
    file::layer(&text).map_err(|error| CliError::failed(format!("{} {error}", path.display())))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// What environment variables say. An empty one says nothing.
fn environment(variable: impl Fn(&str) -> Option<String>) -> Result<Layer> {
    let mut layer = Layer::new();
    for setting in SETTINGS {
        let Some(name) = setting.environment() else { continue };
        if let Some(text) = variable(&name).filter(|text| !text.is_empty()) {
            let value = setting
                .parse(&text)
                .map_err(|error| CliError::usage(format!("environment variable {name}: {error}")))?;
            layer.insert(setting.name.to_owned(), value);
        }
    }
    Ok(layer)
}

/// What flags say.
fn flags(args: &ServeArgs) -> Result<Layer> {
    let domains = (!args.domains.is_empty()).then(|| args.domains.join(","));
    let yes = |is_given: bool| is_given.then(|| "true".to_owned());
    let given = [
        (names::NET_HOST, args.host.clone()),
        (names::NET_PORT, args.port.map(|port| port.to_string())),
        (names::NODE_CORES, args.cores.clone()),
        (names::ANONYMOUS, yes(args.anonymous)),
        (names::ALLOW_SIGV2, yes(args.allow_sigv2)),
        (names::ROUTE_MODE, args.route.clone()),
        (names::ROUTE_HANDOFF, args.no_handoff.then(|| "false".to_owned())),
        (names::NET_ADVERTISE, args.advertise.clone()),
        (names::NET_DOMAIN, domains),
        (names::NET_WEBSITE_PORT, args.website_port.map(|port| port.to_string())),
        (names::REDIRECT_TABLE, args.redirect_table.clone()),
        (names::ACCESS_LOG_FILE, args.access_log.clone()),
        (names::ACCESS_LOG_FORMAT, args.access_log_format.clone()),
        (names::LIFECYCLE_DAY_SECONDS, args.lifecycle_day_seconds.clone()),
        (names::NODE_DURABILITY, args.durability.clone()),
        // A certificate is given to be used.
        (names::USE_HTTPS, yes(args.tls || args.tls_cert.is_some())),
        (names::SERVER_CRT, args.tls_cert.clone()),
        (names::SERVER_KEY, args.tls_key.clone()),
    ];
    let mut layer = Layer::new();
    let of_their_own = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
    for (name, text) in of_their_own {
        let setting = find(name).map_err(|error| CliError::usage(error.to_string()))?;
        let flag = setting.flag.unwrap_or("--set");
        let value = setting
            .parse(&text)
            .map_err(|error| CliError::usage(format!("{flag} {text}: {error}")))?;
        layer.insert(name.to_owned(), value);
    }
    for pair in &args.set {
        let wrong = |error: String| CliError::usage(format!("--set {pair}: {error}"));
        let (name, text) = pair
            .split_once('=')
            .ok_or_else(|| wrong("write it as NAME=VALUE".to_owned()))?;
        let setting = find(name.trim()).map_err(|error| wrong(error.to_string()))?;
        let value = setting.parse(text).map_err(|error| wrong(error.to_string()))?;
        if layer
            .insert(setting.name.to_owned(), value.clone())
            .is_some_and(|before| before != value)
        {
            return Err(wrong("the setting is given twice, with two values".to_owned()));
        }
    }
    Ok(layer)
}

/// Makes the file of a store that has none, with every setting at its default, and says where it is. One that was named
/// is somebody else's.
pub fn make_file(layers: &mut Layers, is_named: bool, control: &Path) -> Result<()> {
    if is_named {
        return Ok(());
    }
    let path = control.join(FILE_NAME);
    if !path.exists() {
        private_file::write(&path, &document::template()).map_err(|error| unusable(&path, &error))?;
    }
    layers.path = Some(path);
    Ok(())
}

/// Fills in what defaults come down to in this store.
pub fn derive(layers: &mut Layers, control: &Path, advertise: Option<&str>) {
    let own = CertificateFiles::of_store(control);
    let mut set = |name: &str, value: String| layers.derived.insert(name.to_owned(), value);
    set(names::SERVER_CRT, own.certificate.display().to_string());
    set(names::SERVER_KEY, own.key.display().to_string());
    if let Some(advertise) = advertise {
        set(names::NET_ADVERTISE, advertise.to_owned());
    }
}

/// What a gateway is told: its flags, and all layers, so that it can say where values are from and change the file.
pub fn for_gateway(layers: &Layers, gateway: &mut Command) -> Result<()> {
    let json = serde_json::to_string(layers)
        .map_err(|error| CliError::failed(format!("the settings cannot be passed on: {error}")))?;
    gateway.args(["--settings", &json]);
    gateway.args(["--route", layers.text(names::ROUTE_MODE)]);
    gateway.args(["--lifecycle-day-seconds", layers.text(names::LIFECYCLE_DAY_SECONDS)]);
    for (name, flag) in [(names::ANONYMOUS, "--anonymous"), (names::ALLOW_SIGV2, "--allow-sigv2")] {
        if layers.is_true(name) {
            gateway.arg(flag);
        }
    }
    if !layers.is_true(names::ROUTE_HANDOFF) {
        gateway.arg("--no-handoff");
    }
    if let Some(file) = layers.file_of(names::REDIRECT_TABLE) {
        gateway.arg("--redirect-table").arg(file);
    }
    for domain in layers.text(names::NET_DOMAIN).split(',') {
        gateway.args(["--domain", domain]);
    }
    for_both(layers, gateway);
    Ok(())
}

/// What a node is told.
pub fn for_node(layers: &Layers, node: &mut Command) {
    node.args(["--durability", layers.text(names::NODE_DURABILITY)])
        .args(["--memory", layers.text(names::NODE_MEMORY_BYTES)])
        .args(["--scrub-interval", layers.text(names::SCRUB_INTERVAL_S)]);
    for_both(layers, node);
}

fn for_both(layers: &Layers, command: &mut Command) {
    command.env(FILTER_VARIABLE, layers.text(names::LOG_FILTER));
    // Without a file, too: one may be set later.
    command.args(["--access-log-format", layers.text(names::ACCESS_LOG_FORMAT)]);
    if let Some(file) = layers.file_of(names::ACCESS_LOG_FILE) {
        command.arg("--access-log").arg(file);
    }
}

fn unusable(path: &Path, error: &io::Error) -> CliError {
    CliError::failed(format!(
        "cannot use the configuration file {}: {error}; name another with --config",
        path.display()
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::ServeArgs, environment, flags};
    use clap::{Args, FromArgMatches};
    use proto::settings::{SETTINGS, names, values::Layer};

    fn given(arguments: &[&str]) -> Result<Layer, String> {
        let command = ServeArgs::augment_args(clap::Command::new("serve"));
        let all = ["serve"].iter().chain(arguments);
        let matches = command.try_get_matches_from(all).map_err(|error| error.to_string())?;
        let args = ServeArgs::from_arg_matches(&matches).unwrap();
        flags(&args).map_err(|error| error.message().unwrap_or_default().to_owned())
    }

    fn pairs(layer: &Layer) -> Vec<(&str, &str)> {
        layer
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    #[test]
    fn flags_say_settings() {
        assert_eq!(given(&[]).unwrap(), Layer::new());
        let said = given(&[
            "--no-handoff",
            "--tls-cert=c",
            "--tls-key=k",
            "--domain=a",
            "--domain=b",
            "--set=scrub.interval_s=1h",
        ]);
        assert_eq!(
            pairs(&said.unwrap()),
            [
                (names::NET_DOMAIN, "a,b"),
                (names::SERVER_CRT, "c"),
                (names::SERVER_KEY, "k"),
                (names::USE_HTTPS, "true"),
                (names::ROUTE_HANDOFF, "false"),
                (names::SCRUB_INTERVAL_S, "3600"),
            ]
        );
    }

    #[test]
    fn every_flag_of_the_table_is_one_of_serve() {
        let command = ServeArgs::augment_args(clap::Command::new("serve"));
        let known: Vec<String> = command
            .get_arguments()
            .filter_map(|argument| argument.get_long().map(|long| format!("--{long}")))
            .collect();
        for flag in SETTINGS.iter().filter_map(|setting| setting.flag) {
            assert!(known.iter().any(|name| name == flag), "{flag}");
        }
    }

    #[test]
    fn wrong_flags_are_named() {
        let error = given(&["--cores", "0"]).unwrap_err();
        assert!(error.starts_with("--cores 0: node.cores: "), "{error}");
        let error = given(&["--set", "route.mod=proxy"]).unwrap_err();
        assert!(error.contains("route.mode"), "{error}");
        let error = given(&["--set", "route.mode"]).unwrap_err();
        assert!(error.contains("NAME=VALUE"), "{error}");
        let error = given(&["--route=proxy", "--set", "route.mode=auto"]).unwrap_err();
        assert!(error.contains("twice"), "{error}");
    }

    #[test]
    fn environment_variables_say_settings() {
        let variable = |name: &str| match name {
            "CORELANE_ROUTE_MODE" => Some("proxy".to_owned()),
            "CORELANE_NET_HTTP_READ_BUFFER_SIZE" => Some("128KiB".to_owned()),
            "CORELANE_NET_PORT" => Some(String::new()),
            _ => None,
        };
        let said = environment(variable).unwrap();
        assert_eq!(
            pairs(&said),
            [(names::READ_BUFFER_SIZE, "131072"), (names::ROUTE_MODE, "proxy")]
        );
        let wrong = environment(|name| (name == "CORELANE_LOG").then(|| "inof".to_owned())).unwrap_err();
        assert_eq!(wrong.exit_code(), 2);
        assert!(
            wrong
                .message()
                .unwrap()
                .starts_with("environment variable CORELANE_LOG: log.filter: ")
        );
    }
}
