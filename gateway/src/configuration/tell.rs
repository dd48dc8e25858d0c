//! Tells every core of settings that have changed and that it has to know.

use crate::{cluster::Core, core_client, gateway::Gateway, limits::CONFIGURE_TIME, list::fanout::join_all, rt};
use proto::{
    auth::{sigv4::sha256, ticket::Grant},
    cluster::configure::{CONFIGURE_PATH, Configure},
    error::{ErrorCode, S3Error},
    settings::{names, values::Layers},
    wire::Encoder,
};
use std::{collections::BTreeSet, path::PathBuf};

/// Those of the settings that nodes look at, too.
pub fn is_for_nodes(name: &str) -> bool {
    [
        names::SCRUB_INTERVAL_S,
        names::ACCESS_LOG_FILE,
        names::ACCESS_LOG_FORMAT,
        names::LOG_FILTER,
    ]
    .contains(&name)
}

/// Tells all cores; whether all have understood.
pub async fn tell(gateway: &Gateway, layers: &Layers, changed: &BTreeSet<&'static str>) -> bool {
    let mut message = Configure::default();
    let mut add = |name: &str, value: String| message.settings.push((name.to_owned(), value));
    for name in [names::SCRUB_INTERVAL_S, names::LOG_FILTER] {
        if changed.contains(name) {
            add(name, layers.text(name).to_owned());
        }
    }
    if changed.contains(names::ACCESS_LOG_FILE) || changed.contains(names::ACCESS_LOG_FORMAT) {
        let file = layers.file_of(names::ACCESS_LOG_FILE).map(absolute);
        add(names::ACCESS_LOG_FILE, file.unwrap_or_default());
        add(
            names::ACCESS_LOG_FORMAT,
            layers.text(names::ACCESS_LOG_FORMAT).to_owned(),
        );
    }
    if message.settings.is_empty() {
        return true;
    }
    let mut encoder = Encoder::new();
    message.encode(&mut encoder);
    let body = encoder.finish();
    let nodes = gateway.cluster.nodes();
    let cores = nodes.iter().flat_map(|node| &node.cores);
    let told = join_all(cores.map(|core| tell_core(gateway, core, &body))).await;
    told.iter().all(|understood| *understood) && nodes.iter().all(|node| !node.cores.is_empty())
}

fn absolute(path: PathBuf) -> String {
    if path.as_os_str() == "-" {
        return "-".to_owned();
    }
    std::path::absolute(&path).unwrap_or(path).display().to_string()
}

async fn tell_core(gateway: &Gateway, core: &Core, body: &[u8]) -> bool {
    let grant = Grant::Configure {
        body_sha256: sha256(body),
    };
    let principal = gateway.catalog.root().principal();
    let told = core_client::call(gateway, core, CONFIGURE_PATH, principal, grant, body);
    let told = rt::timeout(CONFIGURE_TIME, told).await;
    match told.unwrap_or_else(|| Err(S3Error::new(ErrorCode::RequestTimeout))) {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(core = %core.address, %error, "a core does not take changed settings; they act after a restart");
            false
        }
    }
}
