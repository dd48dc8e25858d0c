//! `corelane config`, word by word.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{command::Clients, request::Request, store::Store, transcript::play};

#[test]
fn config() {
    play("config", &Store::start());
}

#[test]
fn only_root_may() {
    let store = Store::start();
    let body = r#"{"user": "ann", "access_key": "ANNSKEY", "secret_key": "anns-secret-key"}"#;
    store
        .send(Request::new("POST", "/v1/keys").body(body))
        .expect_status(201);
    let clients = Clients::with_key(&store, "ANNSKEY", "anns-secret-key");
    for arguments in [&["config", "show"][..], &["config", "set", "route.mode=proxy"]] {
        let ended = clients.corelane(arguments).fails_with("AccessDenied");
        assert_eq!(ended.code, 4, "{ended}");
    }
}

#[test]
fn templates_need_no_store() {
    let clients = Clients::at(1, "nobody", "nobodys-secret-key");
    let template = clients.corelane(&["config", "template"]).ok().stdout;
    assert_eq!(template, proto::settings::document::template());
    let ended = clients.corelane(&["config", "show"]).fails_with("http://127.0.0.1:1;");
    assert_eq!(ended.code, 5, "{ended}");
}
