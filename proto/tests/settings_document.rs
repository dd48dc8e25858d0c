//! The documentation of the settings is what the table says.

use corelane_proto::settings::document::markdown;

#[test]
fn the_document_is_the_table() {
    let kept = include_str!("../../docs/configuration.md");
    assert!(
        kept == markdown(),
        "docs/configuration.md is out of date; write it with `corelane config template --markdown > docs/configuration.md`"
    );
}
