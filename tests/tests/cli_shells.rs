//! Completions and manual pages: what shells and `man` make of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{command::Clients, examples::commands, store::Store, transcript::shell};

#[test]
fn completions_are_scripts_that_know_every_command() {
    let store = Store::start();
    let clients = Clients::new(&store);
    let commands = commands(&clients);
    assert!(commands.len() > 25, "{commands:?}");
    for name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = clients.corelane(&["completions", name]).ok().stdout;
        for word in commands.iter().flatten() {
            assert!(script.contains(word), "{name} does not know {word}");
        }
        std::fs::write(clients.home().join(name), script).unwrap();
    }
    shell("bash -n bash", &store, &clients).ok();
    // Shells that are not on this machine cannot be asked.
    for name in ["zsh", "fish"] {
        shell(&format!("! command -v {name} || {name} -n {name}"), &store, &clients).ok();
    }
    // bash completes with it.
    let complete = |words: &str, at: usize| {
        let line = format!(
            "source ./bash; COMP_WORDS=({words}); COMP_CWORD={at}; _corelane corelane \"${{COMP_WORDS[{at}]}}\" x; \
             echo \"${{COMPREPLY[@]}}\""
        );
        shell(&line, &store, &clients).ok().stdout
    };
    assert_eq!(complete("corelane buck", 1).trim(), "bucket");
    let of_bucket = complete("corelane bucket ''", 2);
    for word in ["create", "ls", "show", "props", "rm", "--endpoint"] {
        assert!(of_bucket.contains(word), "{of_bucket}");
    }
    let wrong = shell("corelane completions tcsh", &store, &clients);
    assert!(wrong.code == 2 && wrong.stderr.contains("bash"), "{wrong}");
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let store = Store::start();
    let clients = Clients::new(&store);
    shell("corelane man --out man1", &store, &clients).ok();
    for words in commands(&clients) {
        let name = [vec!["corelane".to_owned()], words].concat().join("-");
        let page = std::fs::read_to_string(clients.home().join(format!("man1/{name}.1")))
            .unwrap_or_else(|error| panic!("{name}.1: {error}"));
        assert!(page.contains(".SH NAME"), "{name}: {page}");
        assert!(page.contains(".SH EXAMPLES"), "{name}: {page}");
    }
    // groff finds nothing to complain about, and man shows the first page with its examples and exit codes.
    let complaints = shell(
        "for page in man1/*.1; do groff -man -Tutf8 -ww -z $page; done",
        &store,
        &clients,
    )
    .ok();
    assert_eq!(complaints.stderr, "", "{complaints}");
    let shown = shell("corelane man | MANWIDTH=120 man -l - | cat", &store, &clients).ok();
    for text in [
        "corelane",
        "SUBCOMMANDS",
        "EXAMPLES",
        "corelane serve --data /disk1 --data /disk2",
        "5  No store answers",
        "CORELANE_ENDPOINT",
    ] {
        assert!(shown.stdout.contains(text), "no {text}: {shown}");
    }
}
