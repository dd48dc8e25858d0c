//! curl, and the lines that `corelane serve` prints, as a person pastes them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::Clients,
    directory::Directory,
    process::signal,
    random,
    store::{Store, serve_command},
};
use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

#[test]
fn curl_puts_gets_and_deletes() {
    for route in ["auto", "redirect", "proxy"] {
        let store = Store::start_with(&["--route", route]);
        let clients = Clients::new(&store);
        let url = |path: &str| format!("{}/{path}", store.endpoint());
        let content = random::bytes(91, 2_500_000);
        std::fs::write(clients.home().join("file"), &content).unwrap();
        clients.curl(&["-L", "--fail", "-X", "PUT", &url("bucket")]).ok();
        // curl 7.88 does not send this header by itself, and S3 wants it with a body.
        let unsigned = "x-amz-content-sha256: UNSIGNED-PAYLOAD";
        clients
            .curl(&["-L", "--fail", "-H", unsigned, "-T", "file", &url("bucket/dir/object")])
            .ok();
        clients
            .curl(&["-L", "--fail", "-o", "got", &url("bucket/dir/object")])
            .ok();
        assert!(std::fs::read(clients.home().join("got")).unwrap() == content, "{route}");
        clients
            .curl(&["-L", "--fail", "-r", "100-199", "-o", "part", &url("bucket/dir/object")])
            .ok();
        assert_eq!(std::fs::read(clients.home().join("part")).unwrap(), content[100..200]);
        clients
            .curl(&["-L", "--fail", "-I", &url("bucket/dir/object")])
            .ok()
            .says("2500000");
        clients
            .curl(&["-L", "--fail", &url("bucket/")])
            .ok()
            .says("<Key>dir/object</Key>");
        clients
            .curl(&["-L", "--fail", "-X", "DELETE", &url("bucket/dir/object")])
            .ok();
        clients
            .curl(&["-L", &url("bucket/dir/object")])
            .ok()
            .says("<Code>NoSuchKey</Code>");
        clients.curl(&["-L", "--fail", "-X", "DELETE", &url("bucket")]).ok();
        clients
            .plain_curl(&[&url("bucket")])
            .ok()
            .says("<Code>AccessDenied</Code>");
    }
}

#[test]
fn the_printed_lines_work_as_they_are() {
    for arguments in [
        &["--route", "auto"] as &[&str],
        &["--anonymous"],
        &["--host", "0.0.0.0"],
        &["--tls"],
        &["--tls", "--anonymous", "--host", "0.0.0.0"],
    ] {
        let directory = Directory::new();
        let mut serve = serve_command()
            .env_remove("CORELANE_ACCESS_KEY")
            .env_remove("CORELANE_SECRET_KEY")
            .args(["--port", "0", "--cores", "1", "--data"])
            .arg(directory.join("data"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines: Vec<String> = BufReader::new(serve.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap)
            .take_while(|line| line != "Ctrl-C stops it.")
            .collect();
        let line = |start: &str| {
            lines
                .iter()
                .find(|line| line.starts_with(start))
                .unwrap_or_else(|| panic!("no {start} in {lines:?}"))
        };
        assert_eq!(
            lines.iter().any(|line| line.contains("Redirects")),
            arguments.contains(&"0.0.0.0"),
            "{lines:?}"
        );
        // Nothing of its own: the printed lines bring address and credentials.
        let clients = Clients::at(0, "", "");
        let pasted = |command: &str| {
            clients
                .shell(&format!("{}\n{command}", line("export AWS_ACCESS_KEY_ID=")))
                .ok()
        };
        let s3cmd = line("s3cmd ");
        assert_eq!(pasted(s3cmd).stdout, "");
        pasted(&s3cmd.replace(" ls", " mb s3://pasted"));
        pasted(s3cmd).says("s3://pasted");
        pasted(line("aws ")).says("pasted");
        pasted(line("python3 ")).says("'Name': 'pasted'");
        pasted(line("curl ")).says("<Name>pasted</Name>");
        signal(serve.id(), rustix::process::Signal::TERM);
        assert_eq!(serve.wait().unwrap().code(), Some(0));
    }
}
