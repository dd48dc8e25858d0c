//! The examples of `--help` and of the README, as lines to run.

use crate::command::{Clients, Ended};

/// The commands of `corelane`, each with its words, from `--help` itself; the program without a command first.
pub fn commands(clients: &Clients) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut next = 0;
    while let Some(words) = all.get(next).cloned() {
        for name in subcommands(&help(clients, &words)) {
            all.push([words.clone(), vec![name]].concat());
        }
        next += 1;
    }
    all
}

/// What `corelane WORDS --help` prints.
pub fn help(clients: &Clients, words: &[String]) -> String {
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
    clients.corelane(&words).ok().stdout
}

/// The names below `Commands:`, without `help`, which lists the others only.
fn subcommands(help: &str) -> Vec<String> {
    let section = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    section
        .take_while(|line| line.starts_with(' '))
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// The command lines below `Examples:`, without what is said of them.
pub fn of_help(help: &str) -> Vec<String> {
    let section = help.lines().skip_while(|line| *line != "Examples:").skip(1);
    section
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   "))
        .map(|line| without_remark(line.trim_start(), "  "))
        .collect()
}

/// The command lines of the README's indented blocks that begin with `corelane`, block by block.
pub fn of_readme(text: &str) -> Vec<Vec<String>> {
    let mut blocks = vec![Vec::new()];
    for line in text.lines() {
        match line.strip_prefix("    ") {
            Some(line) if line.starts_with("corelane ") => {
                let line = without_remark(line, " #");
                if let Some(block) = blocks.last_mut() {
                    block.push(line);
                }
            }
            Some(_) => {}
            None => blocks.push(Vec::new()),
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

fn without_remark(line: &str, separator: &str) -> String {
    line.split(separator).next().unwrap_or_default().trim_end().to_owned()
}

/// Panics unless an example worked.
#[track_caller]
pub fn worked(page: &str, line: &str, ended: &Ended) {
    assert!(ended.code == 0, "an example of {page} does not work\n{line}\n{ended}");
}

#[cfg(test)]
mod tests {
    use super::{of_help, of_readme, subcommands};

    #[test]
    fn examples_are_found_and_their_remarks_are_not() {
        let help = "About.\n\nCommands:\n  ls    List\n          more\n  help  Print\n\nOptions:\n  -h, --help  Help\n\n\
                    Examples:\n  corelane ls a   Lists a\n  corelane ls --props x\n                  On two lines\n\nMore.";
        assert_eq!(subcommands(help), ["ls"]);
        assert_eq!(of_help(help), ["corelane ls a", "corelane ls --props x"]);
        let readme =
            "Text\n\n    corelane key ls     # why\n    aws s3 ls\n    corelane cert\n\nMore\n\n    corelane ls\n";
        let blocks = of_readme(readme);
        assert_eq!(blocks, [vec!["corelane key ls", "corelane cert"], vec!["corelane ls"]]);
    }
}
