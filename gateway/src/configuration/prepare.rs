//! The part of a change that touches files, on a thread of its own: everything is checked, and opened, before the
//! configuration file is replaced.

use super::change::ChangeError;
use crate::{access_log, certificate::Certificate, redirect_table::RedirectTable};
use proto::{
    access_log::switch::Log,
    settings::{
        Applies, document,
        edit::{Change, apply},
        file, names,
        values::{Layer, Layers},
    },
};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// What is ready to act.
pub struct Prepared {
    /// What acts from now on.
    pub acting: Layers,
    /// What the file said before.
    pub before: Layer,
    /// What it says now.
    pub saved: Layer,
    /// The new redirect table.
    pub redirect_table: Option<RedirectTable>,
    /// The new access log, open.
    pub access_log: Option<Log>,
}

/// Does it.
pub fn prepare(running: Layers, changes: &[Change]) -> Result<Prepared, ChangeError> {
    let path = running.path.clone().ok_or(ChangeError::NoFile)?;
    // What a link points to is replaced, not the link.
    let path = std::fs::canonicalize(&path).unwrap_or(path);
    let named = path.display();
    let found = match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(ChangeError::Failed(format!("cannot read {named}: {error}"))),
    };
    let text = found.clone().unwrap_or_else(document::template);
    let wrong = |error: String| ChangeError::WrongFile(format!("{named} {error}; correct it first"));
    let before = file::layer(&text).map_err(|error| wrong(error.to_string()))?;
    let changed = apply(&text, changes).map_err(|error| wrong(error.to_string()))?;
    let saved = file::layer(&changed).map_err(|error| wrong(error.to_string()))?;
    let next = Layers {
        file: saved.clone(),
        ..running.clone()
    };
    next.check().map_err(ChangeError::Invalid)?;
    let mut acting = running.clone();
    for change in changes.iter().filter(|change| change.setting.applies == Applies::Live) {
        let name = change.setting.name.to_owned();
        match &change.value {
            Some(value) => acting.file.insert(name, value.clone()),
            None => acting.file.remove(&name),
        };
    }
    acting.check().map_err(ChangeError::Invalid)?;
    let is_about = |name: &str| changes.iter().any(|change| change.setting.name == name);
    if is_about(names::SERVER_CRT) || is_about(names::SERVER_KEY) {
        check_certificate(&next)?;
    }
    let mut redirect_table = None;
    if is_about(names::REDIRECT_TABLE) {
        let table = RedirectTable::load(acting.file_of(names::REDIRECT_TABLE).as_deref());
        redirect_table = Some(table.map_err(|error| invalid(names::REDIRECT_TABLE, error))?);
    }
    let mut log = None;
    if is_about(names::ACCESS_LOG_FILE)
        && let Some(path) = acting.file_of(names::ACCESS_LOG_FILE)
    {
        let opened = access_log::open(&path);
        log = Some(opened.map_err(|error| invalid(names::ACCESS_LOG_FILE, format!("{}: {error}", path.display())))?);
    }
    if found.as_deref() != Some(changed.as_str()) {
        replace(&path, &changed).map_err(|error| ChangeError::Failed(format!("cannot write {named}: {error}")))?;
    }
    Ok(Prepared {
        acting,
        before,
        saved,
        redirect_table,
        access_log: log,
    })
}

fn invalid(name: &str, error: String) -> ChangeError {
    ChangeError::Invalid(format!("{name}: {error}"))
}

/// A certificate that could not be used would keep the store from starting again.
fn check_certificate(next: &Layers) -> Result<(), ChangeError> {
    let files = (next.file_of(names::SERVER_CRT), next.file_of(names::SERVER_KEY));
    match files {
        (Some(certificate), Some(key)) if next.is_said(names::SERVER_CRT) => Certificate::load(&certificate, &key)
            .map(|_| ())
            .map_err(|error| invalid(names::SERVER_CRT, error)),
        _ => Ok(()),
    }
}

/// Replaces a file in one step, durably. Its permissions stay; a new one is its owner's.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mode = match std::fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode() & 0o7777,
        Err(_) => 0o600,
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let staged = path.with_file_name(name);
    match std::fs::remove_file(&staged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&staged)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.sync_all()?;
    std::fs::rename(&staged, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{ChangeError, Layers, prepare};
    use crate::testing::TemporaryDirectory;
    use proto::settings::{edit::Change, find, names};
    use std::{fs, os::unix::fs::symlink};

    fn change(name: &str, value: &str) -> Vec<Change> {
        let setting = find(name).unwrap();
        let value = Some(setting.parse(value).unwrap());
        vec![Change { setting, value }]
    }

    #[test]
    fn without_a_file_nothing_is_changed() {
        let refused = prepare(Layers::default(), &change(names::ROUTE_MODE, "proxy"));
        assert!(matches!(refused.err(), Some(ChangeError::NoFile)));
    }

    #[test]
    fn a_file_behind_a_link_is_replaced_and_one_that_went_missing_made_anew() {
        let directory = TemporaryDirectory::new();
        let (link, file) = (directory.path().join("link.toml"), directory.path().join("file.toml"));
        fs::write(&file, "# ours\n[route]\n").unwrap();
        symlink("file.toml", &link).unwrap();
        let layers = Layers {
            path: Some(link.clone()),
            ..Layers::default()
        };
        let prepared = prepare(layers.clone(), &change(names::ROUTE_MODE, "proxy"))
            .ok()
            .unwrap();
        assert_eq!(prepared.acting.text(names::ROUTE_MODE), "proxy");
        assert!(link.is_symlink());
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "# ours\n[route]\nmode = \"proxy\"\n"
        );
        // What acts after a restart does not act now.
        let prepared = prepare(layers.clone(), &change(names::NET_PORT, "9000")).ok().unwrap();
        assert_eq!(prepared.acting.text(names::NET_PORT), "51080");
        assert_eq!(prepared.saved.get(names::NET_PORT).unwrap(), "9000");

        fs::remove_file(&link).unwrap();
        assert!(prepare(layers, &change(names::ROUTE_MODE, "proxy")).is_ok());
        let text = fs::read_to_string(&link).unwrap();
        assert!(
            text.contains("\nmode = \"proxy\"\n") && text.contains("[net.http]"),
            "{text}"
        );
        let left: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }
}
