//! Progress bars, in a real terminal: one that tmux draws.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::Clients,
    directory::program,
    process::wait_for,
    random::Random,
    relay::{Mischief, Relay},
    store::{ACCESS_KEY, SECRET_KEY, Store},
};
use std::{path::PathBuf, process::Command};

const MIB: usize = 1024 * 1024;

/// A terminal of 100 columns; gone when dropped.
struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// A shell in the clients' directory, for a store behind a port.
    fn open(clients: &Clients, port: u16) -> Self {
        let terminal = Self {
            socket: clients.home().join("tmux"),
        };
        let mut command = clients.command(&PathBuf::from("tmux"));
        command
            .arg("-S")
            .arg(&terminal.socket)
            .args([
                "-f",
                "/dev/null",
                "new-session",
                "-d",
                "-x",
                "100",
                "-y",
                "30",
                "bash --norc",
            ])
            .env("TERM", "screen")
            .env("PS1", "$ ")
            .env("CORELANE_ENDPOINT", format!("http://127.0.0.1:{port}"))
            .env("CORELANE_ACCESS_KEY", ACCESS_KEY)
            .env("CORELANE_SECRET_KEY", SECRET_KEY);
        let status = command.status().expect("tmux; ./scripts/test installs it");
        assert!(status.success());
        terminal.wait_for("the shell", |screen| !screen.trim().is_empty());
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn run(&self, line: &str) {
        self.tmux(&["send-keys", line, "Enter"]);
    }

    fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    fn wait_for(&self, what: &str, found: impl Fn(&str) -> bool) -> String {
        wait_for(what, || Some(self.screen()).filter(|screen| found(screen)))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .arg("kill-server")
            .status();
    }
}

fn line_with<'s>(screen: &'s str, text: &str) -> &'s str {
    screen
        .lines()
        .rev()
        .find(|line| line.contains(text))
        .unwrap_or_default()
}

#[test]
fn bars_show_files_bytes_rate_and_time_and_then_go() {
    let store = Store::start_with(&["--durability", "none"]);
    store.make_bucket("bck");
    let clients = Clients::new(&store);
    let folder = clients.home().join("folder");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a-large-one"), Random::new(1).bytes(23 * MIB)).unwrap();
    std::fs::write(folder.join("small"), "x").unwrap();
    let relay = Relay::start(store.port(), Mischief::HoldUp(12 * 1024 * 1024));
    let terminal = Terminal::open(&clients, relay.port());
    let corelane = program("corelane");
    let corelane = corelane.display();
    terminal.run(&format!(
        "clear; {corelane} object put folder bck --jobs 1 --part-size 5MiB"
    ));
    relay.wait_until_it_holds();
    let screen = terminal.wait_for("both bars", |screen| {
        line_with(screen, "a-large-one").contains("10.00MiB/23.00MiB")
            && line_with(screen, "files").contains("10.00MiB/23.00MiB")
    });
    let total = line_with(&screen, "files");
    for text in ["0/2 files", "=>", "10.00MiB/23.00MiB", "/s", "ETA"] {
        assert!(total.contains(text), "{text}: {screen}");
    }
    assert!(screen.lines().all(|line| line.chars().count() <= 100));
    relay.behave();
    let screen = terminal.wait_for("the total", |screen| screen.contains("Put 2 files, 23.00MiB in "));
    assert!(!screen.contains("ETA"), "the bars are gone: {screen}");
    // Down again: bars on standard error do not disturb what is piped.
    terminal.run(&format!(
        "clear; {corelane} object get bck/a-large-one - | cmp - folder/a-large-one && echo sa''me"
    ));
    terminal.wait_for("the comparison", |screen| screen.contains("same"));
}

#[test]
fn ctrl_c_takes_the_bars_away_and_says_what_to_do() {
    let store = Store::start_with(&["--durability", "none"]);
    store.make_bucket("bck");
    store.put("bck", "large", Random::new(2).bytes(23 * MIB));
    let clients = Clients::new(&store);
    let relay = Relay::start(store.port(), Mischief::HoldDown(12 * 1024 * 1024));
    let terminal = Terminal::open(&clients, relay.port());
    let corelane = program("corelane");
    let get = format!("{} object get bck/large --jobs 1 --part-size 5MiB", corelane.display());
    terminal.run(&format!("clear; {get}"));
    relay.wait_until_it_holds();
    terminal.wait_for("a bar", |screen| screen.contains("ETA"));
    terminal.press("C-c");
    relay.behave();
    let screen = terminal.wait_for("the advice", |screen| screen.contains("given again, goes on"));
    assert!(!screen.contains("ETA"), "{screen}");
    terminal.run(&format!(
        "clear; {get} && cmp large <({} object get bck/large -) && echo sa''me",
        corelane.display()
    ));
    terminal.wait_for("the rest", |screen| screen.contains("same"));
}

#[test]
fn removing_a_folder_asks_first() {
    let store = Store::start();
    store.make_bucket("bck");
    store.put("bck", "f/a", "x");
    store.put("bck", "g/a", "x");
    let clients = Clients::new(&store);
    let terminal = Terminal::open(&clients, store.port());
    let corelane = program("corelane");
    terminal.run(&format!("clear; {} object rm bck/f --recursive", corelane.display()));
    terminal.wait_for("the question", |screen| {
        screen.contains("Remove every object below bck/f/? [y/N]")
    });
    terminal.run("n");
    terminal.wait_for("the end", |screen| screen.contains("nothing was removed"));
    assert_eq!(store.keys("bck"), ["f/a", "g/a"]);
    terminal.run(&format!("clear; {} object rm bck/g --recursive", corelane.display()));
    terminal.wait_for("the question", |screen| screen.contains("below bck/g/? [y/N]"));
    terminal.run("y");
    terminal.wait_for("the total", |screen| screen.contains("Removed 1 object in"));
    assert_eq!(store.keys("bck"), ["f/a"]);
}
