//! Which certificate a store shows: one that is given, or one that its first start with `--tls` makes.

use super::{Plan, data_dir::DataDirs};
use crate::{
    certificate::{
        CertificateFiles,
        describe::Description,
        make::{make, names_of_this_machine},
    },
    error::{CliError, Result},
    limits::CERTIFICATE_WARNING,
    private_file,
};
use proto::{
    settings::{names, values::Layers},
    tls::{identity::certificates, settings::pinned_client},
};
use rustls::ClientConfig;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// HTTPS as it is served.
pub struct Tls {
    /// What the processes are given.
    pub files: CertificateFiles,
    /// What the certificate says.
    pub said: Description,
}

/// The certificate, made if need be; `None` without HTTPS.
pub fn prepare(layers: &Layers, plan: &Plan, data: &DataDirs) -> Result<Option<Tls>> {
    if !layers.is_true(names::USE_HTTPS) {
        return Ok(None);
    }
    let files = match (layers.file_of(names::SERVER_CRT), layers.file_of(names::SERVER_KEY)) {
        (Some(certificate), Some(key)) => CertificateFiles {
            certificate: absolute(&certificate)?,
            key: absolute(&key)?,
        },
        _ => own(plan, layers.text(names::NET_HOST), data)?,
    };
    files.check()?;
    let said = files.describe()?;
    warn(&files, &said, plan);
    Ok(Some(Tls { files, said }))
}

impl Tls {
    /// How this process asks the gateway.
    pub fn client(&self) -> Result<Arc<ClientConfig>> {
        let path = self.files.certificate.display();
        let pem = std::fs::read(&self.files.certificate)
            .map_err(|error| CliError::failed(format!("cannot read {path}: {error}")))?;
        let accepted = certificates(&pem).map_err(|error| CliError::failed(format!("{path}: {error}")))?;
        let client = pinned_client(accepted).map_err(|error| CliError::failed(format!("cannot use TLS: {error}")))?;
        Ok(Arc::new(client))
    }
}

/// The store's own; made at its first start.
fn own(plan: &Plan, host: &str, data: &DataDirs) -> Result<CertificateFiles> {
    let files = CertificateFiles::of_store(&data.control);
    match (files.certificate.exists(), files.key.exists()) {
        (false, false) => {
            let advertised = plan.advertise.as_deref();
            let others: Vec<&str> = advertised.into_iter().chain([host]).collect();
            files.write(&make(&names_of_this_machine(&others))?)?;
        }
        (true, true) => {
            // Nobody else may read it, whatever has happened to its mode.
            private_file::read(&files.key)
                .map_err(|error| CliError::failed(format!("cannot read {}: {error}", files.key.display())))?;
        }
        (there, _) => {
            let missing = if there { &files.key } else { &files.certificate };
            return Err(CliError::failed(format!(
                "{} is missing; bring it back, or make both anew with `corelane cert renew --data DIR`",
                missing.display()
            )));
        }
    }
    Ok(files)
}

/// What clients will stumble over.
fn warn(files: &CertificateFiles, said: &Description, plan: &Plan) {
    let path = files.certificate.display();
    if said.seconds_left() < CERTIFICATE_WARNING.as_secs() {
        let days = said.seconds_left() / (24 * 3600);
        eprintln!("warning: {path} is good for {days} more days; `corelane cert renew` replaces one made here");
    }
    if let Some(host) = plan.advertise.as_deref().filter(|host| !said.covers(host)) {
        eprintln!(
            "warning: {path} is not good for {host}, so clients will refuse it there; \
             `corelane cert renew --name {host}` adds a name to one made here"
        );
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| CliError::failed(format!("{}: {error}", path.display())))
}
