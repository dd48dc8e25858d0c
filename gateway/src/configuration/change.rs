//! Changes of settings: all of a request or nothing. The file is changed first, then what acts at once.

use super::{
    prepare::{Prepared, prepare},
    tell::{is_for_nodes, tell},
};
use crate::{config::LogFormat, gateway::Gateway, handoff, rt, store::mailbox::mailbox};
use clap::ValueEnum;
use proto::settings::{
    Applies,
    edit::Change,
    names,
    values::{Layers, Source},
};
use serde::Serialize;
use std::{collections::BTreeSet, rc::Rc};

/// A setting that was changed in the file.
#[derive(Debug, Serialize)]
pub struct Changed {
    name: &'static str,
    value: String,
    was: String,
    /// Whether it acts now, or after a restart.
    applies: &'static str,
    /// What comes before the file, so that the change has no effect as long as it is there.
    overridden_by: Option<&'static str>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no file to keep it in.
    #[error("this gateway was not started by `corelane serve` and has no configuration file; change its flags")]
    NoFile,
    /// Another change is under way.
    #[error("another change is under way; try again")]
    Busy,
    /// It cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// The file is wrong as it is, or cannot be changed from here.
    #[error("{0}")]
    WrongFile(String),
    /// It could not be read or written.
    #[error("{0}")]
    Failed(String),
}

/// Makes changes. They come to their end even if nobody waits for it.
pub async fn change(gateway: &Rc<Gateway>, changes: Vec<Change>) -> Result<Vec<Changed>, ChangeError> {
    let (sender, mut receiver) = mailbox();
    let gateway = Rc::clone(gateway);
    rt::spawn(async move {
        let configuration = &gateway.configuration;
        if configuration.is_changing.replace(true) {
            return sender.send(Err(ChangeError::Busy));
        }
        let changed = make(&gateway, changes).await;
        configuration.is_changing.set(false);
        sender.send(changed);
    });
    receiver.receive().await.unwrap_or(Err(ChangeError::Busy))
}

async fn make(gateway: &Rc<Gateway>, changes: Vec<Change>) -> Result<Vec<Changed>, ChangeError> {
    let running = gateway.configuration.running.borrow().clone();
    let (sender, mut receiver) = mailbox();
    let (before, wanted) = (running.clone(), changes.clone());
    let body = move || sender.send(prepare(running, &wanted));
    let thread = std::thread::Builder::new().name("configuration".to_owned()).spawn(body);
    thread.map_err(|error| ChangeError::Failed(format!("no thread starts: {error}")))?;
    let prepared = receiver.receive().await;
    let prepared = prepared.unwrap_or_else(|| Err(ChangeError::Failed("the change was not prepared".to_owned())))?;
    let said = (said_by_file(&prepared, true), said_by_file(&prepared, false));
    let acting = prepared.acting.clone();
    let not_acting = act(gateway, &before, prepared).await;
    let changed = changes.iter().map(|change| {
        let setting = change.setting;
        // What is as the store runs already needs no restart.
        let is_live = match setting.applies {
            Applies::Live => !not_acting.contains(setting.name),
            Applies::Restart | Applies::Fixed => gateway.configuration.view(setting).pending.is_none(),
        };
        let changed = Changed {
            name: setting.name,
            value: said.1.value(setting).to_owned(),
            was: said.0.value(setting).to_owned(),
            applies: if is_live { Applies::Live } else { Applies::Restart }.name(),
            overridden_by: match acting.source(setting) {
                source @ (Source::Flag | Source::Environment) => Some(source.name()),
                _ => None,
            },
        };
        tracing::info!(
            setting = changed.name,
            value = changed.value,
            was = changed.was,
            applies = changed.applies,
            "setting changed"
        );
        changed
    });
    Ok(changed.collect())
}

/// What the file says, or said before, whatever comes before it.
fn said_by_file(prepared: &Prepared, before: bool) -> Layers {
    let file = if before { &prepared.before } else { &prepared.saved };
    Layers {
        file: file.clone(),
        derived: prepared.acting.derived.clone(),
        ..Layers::default()
    }
}

/// Puts what is prepared into effect; the settings that could not be, for now.
async fn act(gateway: &Rc<Gateway>, before: &Layers, prepared: Prepared) -> BTreeSet<&'static str> {
    let acting = prepared.acting;
    let differ = |name: &str| before.text(name) != acting.text(name);
    let mut failed = BTreeSet::new();
    gateway.live.take(&acting);
    if let Some(table) = prepared.redirect_table {
        gateway.live.set_redirect_table(table);
    }
    if differ(names::LOG_FILTER)
        && let Some(filter) = &gateway.configuration.log_filter
        && let Err(error) = filter.set(acting.text(names::LOG_FILTER))
    {
        tracing::error!(error, "the log's filter cannot be changed");
        failed.insert(names::LOG_FILTER);
    }
    if differ(names::ACCESS_LOG_FILE) || differ(names::ACCESS_LOG_FORMAT) {
        let format = LogFormat::from_str(acting.text(names::ACCESS_LOG_FORMAT), true).unwrap_or(LogFormat::Text);
        if let Err(error) = turn_access_log(gateway, &acting, prepared.access_log, format) {
            tracing::error!(%error, "the access log cannot be changed");
            failed.extend([names::ACCESS_LOG_FILE, names::ACCESS_LOG_FORMAT]);
        }
    }
    gateway.configuration.running.replace(acting.clone());
    gateway.configuration.saved.replace(prepared.saved);
    let changed: BTreeSet<&'static str> = proto::settings::SETTINGS
        .iter()
        .map(|setting| setting.name)
        .filter(|name| differ(name))
        .collect();
    if !tell(gateway, &acting, &changed).await {
        failed.extend(changed.iter().filter(|name| is_for_nodes(name)));
    }
    if differ(names::ROUTE_MODE) || differ(names::ROUTE_HANDOFF) || differ(names::ALLOW_SIGV2) {
        let passes = acting.is_true(names::ROUTE_HANDOFF) && gateway.tls.is_none();
        gateway.handoff.set_passing(passes);
        // Connections that cores have come back with their next request, and are decided about anew.
        gateway.catalog.raise_epoch();
        handoff::settle(gateway).await;
    }
    failed
}

fn turn_access_log(
    gateway: &Gateway,
    acting: &Layers,
    opened: Option<proto::access_log::switch::Log>,
    format: LogFormat,
) -> std::io::Result<()> {
    let Some(path) = acting.file_of(names::ACCESS_LOG_FILE) else {
        gateway.access_log.turn_off();
        return Ok(());
    };
    let log = match opened {
        Some(log) => log,
        None => gateway.access_log.open(&path)?,
    };
    gateway.access_log.turn_on(&path, log, format.into())
}
