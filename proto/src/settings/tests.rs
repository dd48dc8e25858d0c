#![allow(clippy::unwrap_used)]

use super::{
    Applies, SETTINGS, SettingError, below,
    document::{markdown, template},
    edit::{Change, EditError, apply},
    file::{entries, layer},
    find, names,
    values::{Layers, Source},
};
use std::collections::BTreeSet;

#[test]
fn every_row_of_the_table_stands_for_itself() {
    let mut names_seen = BTreeSet::new();
    for setting in SETTINGS {
        assert!(names_seen.insert(setting.name), "{} is there twice", setting.name);
        assert!(setting.description.ends_with('.'), "{}", setting.name);
        assert!(!setting.section().is_empty(), "{}", setting.name);
        if setting.applies != Applies::Fixed {
            assert_eq!(
                setting.parse(setting.default).as_deref(),
                Ok(setting.default),
                "{}",
                setting.name
            );
        }
    }
    // A table of the file is written once, so its settings are together.
    let mut sections: Vec<_> = SETTINGS.iter().map(|setting| setting.section()).collect();
    sections.dedup();
    let distinct: BTreeSet<_> = sections.iter().collect();
    assert_eq!(sections.len(), distinct.len(), "{sections:?}");
}

#[test]
fn the_settings_of_http_are_all_there() {
    let names: Vec<_> = below("net.http").unwrap().iter().map(|setting| setting.key()).collect();
    assert_eq!(
        names,
        [
            "server_crt",
            "server_key",
            "write_buffer_size",
            "read_buffer_size",
            "use_https",
            "skip_verify",
            "chunked_transfer"
        ]
    );
    assert_eq!(below("").unwrap().len(), SETTINGS.len());
    assert_eq!(below("route.mode").unwrap().len(), 1);
    assert_eq!(
        below("net.htp").unwrap_err().to_string(),
        "there is no setting \"net.htp\" (did you mean net.http?)"
    );
    assert!(below("net.ht").is_err());
}

#[test]
fn values_have_one_form() {
    for (name, given, kept) in [
        (names::READ_BUFFER_SIZE, "64KiB", "65536"),
        (names::READ_BUFFER_SIZE, "128 k", "131072"),
        (names::NODE_MEMORY_BYTES, "2GiB", "2147483648"),
        (names::NODE_MEMORY_BYTES, "100MB", "100000000"),
        (names::LIFECYCLE_DAY_SECONDS, "1h", "3600"),
        (names::SCRUB_INTERVAL_S, "7d", "604800"),
        (names::SCRUB_INTERVAL_S, "86_400", "86400"),
        (names::NET_WEBSITE_PORT, "OFF", "off"),
        (names::NET_PORT, " 9000 ", "9000"),
        (names::NODE_CORES, "all", "all"),
        (names::USE_HTTPS, "True", "true"),
        (
            names::NET_DOMAIN,
            "localhost, s3.example.org",
            "localhost,s3.example.org",
        ),
        (names::NET_HOST, "[::1]", "[::1]"),
        (
            names::LOG_FILTER,
            "INFO, corelane_gateway=Debug",
            "info,corelane_gateway=debug",
        ),
    ] {
        assert_eq!(find(name).unwrap().parse(given).as_deref(), Ok(kept), "{name} {given}");
    }
}

#[test]
fn wrong_values_are_told_what_is_allowed() {
    for (name, given, told) in [
        (
            names::NET_PORT,
            "70000",
            "net.port: \"70000\" is not allowed; give a whole number from 0 to 65535",
        ),
        (
            names::NET_PORT,
            "-1",
            "net.port: \"-1\" is not allowed; give a whole number from 0 to 65535",
        ),
        (
            names::READ_BUFFER_SIZE,
            "2MiB",
            "net.http.read_buffer_size: \"2MiB\" is not allowed; give a size from 8KiB to 1MiB, in bytes or such as 64KiB",
        ),
        (
            names::ROUTE_MODE,
            "prox",
            "route.mode: \"prox\" is not allowed (did you mean proxy?); give one of auto, handoff, redirect, proxy",
        ),
        (
            names::USE_HTTPS,
            "ture",
            "net.http.use_https: \"ture\" is not allowed (did you mean true?); give true or false",
        ),
        (
            names::NODE_CORES,
            "0",
            "node.cores: \"0\" is not allowed; give all or a whole number from 1 to 1024",
        ),
    ] {
        assert_eq!(find(name).unwrap().parse(given).unwrap_err().to_string(), told);
    }
    for (name, given) in [
        (names::LOG_FILTER, "inof"),
        (names::LOG_FILTER, "corelane_gateway"),
        (names::LOG_FILTER, "=debug"),
        (names::NET_HOST, "http://store"),
        (names::NET_HOST, ""),
        (names::NET_DOMAIN, ""),
        (names::NET_DOMAIN, "a b"),
        (names::LIFECYCLE_DAY_SECONDS, "0"),
        (names::LIFECYCLE_DAY_SECONDS, "99999999999999999999h"),
        (names::ACCESS_LOG_FILE, "a\nb"),
    ] {
        assert!(find(name).unwrap().parse(given).is_err(), "{name} {given}");
    }
    let fixed = find(names::SKIP_VERIFY).unwrap().parse("true").unwrap_err();
    assert!(matches!(fixed, SettingError::Fixed { .. }));
    assert!(
        fixed
            .to_string()
            .starts_with("net.http.skip_verify is false and cannot be set: ")
    );
}

#[test]
fn environment_variables_follow_from_names() {
    let of = |name| find(name).unwrap().environment();
    assert_eq!(of(names::ROUTE_MODE).as_deref(), Some("CORELANE_ROUTE_MODE"));
    assert_eq!(of(names::USE_HTTPS).as_deref(), Some("CORELANE_NET_HTTP_USE_HTTPS"));
    assert_eq!(of(names::LOG_FILTER).as_deref(), Some("CORELANE_LOG"));
    assert_eq!(of(names::SKIP_VERIFY), None);
}

#[test]
fn files_say_values_in_toml_of_any_form() {
    let text = "net.http.use_https = true\nroute = { mode = \"proxy\" }\n[net]\nport = 0x2328\ndomain = [\"localhost\", \"s3\"]\n\
                [lifecycle]\nday_seconds = \"1h\"\n";
    let wrong = entries(text).unwrap_err();
    assert_eq!(wrong.line, 3, "a table cannot follow its dotted keys: {wrong}");
    let text = "route = { mode = \"proxy\" }\n[net]\nport = 0x2328\ndomain = [\"localhost\", \"s3\"]\nhttp.use_https = true\n\
                [lifecycle]\nday_seconds = \"1h\"\n";
    let said = layer(text).unwrap();
    let said: Vec<_> = said
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            (names::LIFECYCLE_DAY_SECONDS, "3600"),
            (names::NET_DOMAIN, "localhost,s3"),
            (names::USE_HTTPS, "true"),
            (names::NET_PORT, "9000"),
            (names::ROUTE_MODE, "proxy"),
        ]
    );
    assert_eq!(layer("").unwrap().len(), 0);
}

#[test]
fn wrong_files_are_told_the_line() {
    for (text, told) in [
        (
            "[net]\n\n[net.http]\nwrite_bufer_size = 1\n",
            "line 4: there is no setting \"net.http.write_bufer_size\" (did you mean net.http.write_buffer_size?)",
        ),
        (
            "# a\n[net]\nport = 70000\n",
            "line 3: net.port: \"70000\" is not allowed; give a whole number from 0 to 65535",
        ),
        (
            "[net]\nport = 1.5\n",
            "line 2: net.port: \"1.5\" is not allowed; give a whole number from 0 to 65535",
        ),
        (
            "[net]\nport = [1]\n",
            "line 2: net.port: \"[..]\" is not allowed; give a whole number from 0 to 65535",
        ),
    ] {
        assert_eq!(layer(text).unwrap_err().to_string(), told);
    }
    assert_eq!(layer("[net]\nport 1\n").unwrap_err().line, 2);
    assert!(layer("[net]\ndomain = [1]\n").is_err());
    assert!(
        layer("[net.http]\nskip_verify = true\n")
            .unwrap_err()
            .message
            .contains("cannot be set")
    );
    assert!(layer(&"#".repeat(300 * 1024)).is_err());
}

#[test]
fn the_template_documents_everything_and_sets_nothing() {
    let template = template();
    assert_eq!(layer(&template).unwrap().len(), 0);
    let uncommented: String = template
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') && rest.contains(" = ") => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let said = layer(&uncommented).unwrap();
    for setting in SETTINGS.iter().filter(|setting| setting.applies != Applies::Fixed) {
        assert_eq!(
            said.get(setting.name).map(String::as_str),
            Some(setting.default),
            "{}",
            setting.name
        );
    }
    assert!(template.lines().all(|line| line.len() <= 130), "lines fit a screen");
    assert!(markdown().contains("### net.http.write_buffer_size\n"));
}

fn change(name: &str, value: Option<&str>) -> Change {
    let setting = find(name).unwrap();
    Change {
        setting,
        value: value.map(|value| setting.parse(value).unwrap()),
    }
}

#[test]
fn every_setting_can_be_set_in_the_template_and_be_reset() {
    let template = template();
    for setting in SETTINGS.iter().filter(|setting| setting.applies != Applies::Fixed) {
        let set = apply(&template, &[change(setting.name, Some(setting.default))]).unwrap();
        assert_eq!(set.lines().count(), template.lines().count() + 1, "{}", setting.name);
        let line = set
            .lines()
            .position(|line| !line.starts_with('#') && line.contains(" = "))
            .unwrap();
        assert!(
            set.lines()
                .nth(line - 1)
                .unwrap()
                .starts_with(&format!("#{} = ", setting.key()))
        );
        assert_eq!(
            layer(&set).unwrap().get(setting.name).map(String::as_str),
            Some(setting.default)
        );
        assert_eq!(
            apply(&set, &[change(setting.name, None)]).unwrap(),
            template,
            "{}",
            setting.name
        );
    }
}

#[test]
fn changes_keep_what_people_wrote() {
    let text = "# ours\n[route] # how\n  mode   = \"auto\"   # for now\n\n[net]\nport=1 # low\n";
    let changed = apply(
        text,
        &[
            change(names::ROUTE_MODE, Some("proxy")),
            change(names::NET_PORT, None),
            change(names::NET_HOST, Some("::1")),
            change(names::LIFECYCLE_DAY_SECONDS, Some("1h")),
        ],
    )
    .unwrap();
    assert_eq!(
        changed,
        "# ours\n[route] # how\n  mode   = \"proxy\"   # for now\n\n[net]\nhost = \"::1\"\n\n[lifecycle]\nday_seconds = 3600\n"
    );
}

#[test]
fn unusual_files_are_changed_rightly_or_not_at_all() {
    let inline = "net = { port = 1, host = \"::1\" }\n";
    let changed = apply(inline, &[change(names::NET_PORT, Some("2"))]).unwrap();
    assert_eq!(changed, "net = { port = 2, host = \"::1\" }\n");
    assert_eq!(
        apply(inline, &[change(names::NET_PORT, None)]),
        Err(EditError::Unusual {
            name: names::NET_PORT,
            line: 1
        })
    );
    assert!(apply(inline, &[change(names::USE_HTTPS, Some("true"))]).is_err());
    let dotted = "net.port = 1\n";
    let changed = apply(dotted, &[change(names::NET_HOST, Some("::1"))]).unwrap();
    assert_eq!(changed, "net.host = \"::1\"\nnet.port = 1\n");
    let several_lines = "[net]\ndomain = [\n  \"a\", # one\n  \"b\",\n]\nport = 1\n";
    let changed = apply(several_lines, &[change(names::NET_DOMAIN, None)]).unwrap();
    assert_eq!(changed, "[net]\nport = 1\n");
    assert!(matches!(
        apply("[net]\nprot = 1\n", &[change(names::NET_PORT, Some("1"))]),
        Err(EditError::Wrong(_))
    ));
    let odd = "a\\b \"c\" \u{7f}";
    let changed = apply("", &[change(names::ACCESS_LOG_FILE, Some(odd))]).unwrap();
    assert_eq!(layer(&changed).unwrap().get(names::ACCESS_LOG_FILE).unwrap(), odd);
}

#[test]
fn flags_come_before_environment_before_file_before_defaults() {
    let setting = find(names::ROUTE_MODE).unwrap();
    let mut layers = Layers::default();
    assert_eq!(
        (layers.value(setting), layers.source(setting)),
        ("auto", Source::Default)
    );
    layers.file.insert(setting.name.to_owned(), "proxy".to_owned());
    assert_eq!((layers.value(setting), layers.source(setting)), ("proxy", Source::File));
    layers
        .environment
        .insert(setting.name.to_owned(), "redirect".to_owned());
    assert_eq!(
        (layers.value(setting), layers.source(setting)),
        ("redirect", Source::Environment)
    );
    layers.flags.insert(setting.name.to_owned(), "handoff".to_owned());
    assert_eq!(
        (layers.value(setting), layers.source(setting)),
        ("handoff", Source::Flag)
    );
    assert_eq!(layers.source(find(names::SKIP_VERIFY).unwrap()), Source::Fixed);
    let text = serde_json::to_string(&layers).unwrap();
    assert_eq!(serde_json::from_str::<Layers>(&text).unwrap(), layers);
}

#[test]
fn files_are_found_from_the_configuration_that_names_them() {
    let mut layers = Layers {
        path: Some("/etc/corelane/corelane.toml".into()),
        ..Layers::default()
    };
    assert_eq!(layers.file_of(names::ACCESS_LOG_FILE), None);
    layers
        .file
        .insert(names::ACCESS_LOG_FILE.to_owned(), "access.log".to_owned());
    assert_eq!(
        layers.file_of(names::ACCESS_LOG_FILE),
        Some("/etc/corelane/access.log".into())
    );
    layers.file.insert(names::ACCESS_LOG_FILE.to_owned(), "-".to_owned());
    assert_eq!(layers.file_of(names::ACCESS_LOG_FILE), Some("-".into()));
    layers
        .flags
        .insert(names::ACCESS_LOG_FILE.to_owned(), "here.log".to_owned());
    assert_eq!(layers.file_of(names::ACCESS_LOG_FILE), Some("here.log".into()));
}

#[test]
fn what_contradicts_itself_is_refused() {
    let with = |pairs: &[(&str, &str)]| {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Layers {
            file: pairs.collect(),
            ..Layers::default()
        }
        .check()
    };
    assert!(with(&[]).is_ok());
    assert!(with(&[(names::ROUTE_MODE, "handoff"), (names::ROUTE_HANDOFF, "false")]).is_err());
    let redirect = (names::ROUTE_MODE, "redirect");
    assert!(with(&[redirect]).is_ok());
    assert!(with(&[redirect, (names::NET_HOST, "0.0.0.0")]).is_err());
    assert!(with(&[redirect, (names::NET_HOST, "[::]"), (names::NET_ADVERTISE, "store")]).is_ok());
    assert!(with(&[(names::SERVER_CRT, "a.pem")]).is_err());
}
