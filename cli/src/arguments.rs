//! The order of the words of a command line.

use std::ffi::OsString;

/// Flags of every command that talks to a store, which people also write before the command.
const WITH_VALUE: [&str; 3] = ["--endpoint", "--data", "--ca"];
const WITHOUT_VALUE: [&str; 3] = ["--json", "--insecure", "--no-color"];

/// `corelane --endpoint URL ls` as `corelane ls --endpoint URL`: each command knows its own flags, and a few mean the same
/// to all of them.
pub fn in_order(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter().peekable();
    let mut ordered: Vec<OsString> = arguments.next().into_iter().collect();
    let mut early = Vec::new();
    while let Some(flag) = arguments.next_if(is_early) {
        let takes_the_next = WITH_VALUE.iter().any(|known| flag == *known);
        early.push(flag);
        if takes_the_next {
            early.extend(arguments.next());
        }
    }
    // Nothing to put them behind, or a flag of the program itself: clap says what is wrong.
    let command = arguments.next_if(|argument| !argument.to_string_lossy().starts_with('-'));
    ordered.extend(command);
    ordered.append(&mut early);
    ordered.extend(arguments);
    ordered
}

fn is_early(argument: &OsString) -> bool {
    let text = argument.to_string_lossy();
    let name = text.split_once('=').map_or(text.as_ref(), |(name, _)| name);
    WITH_VALUE.contains(&name) || WITHOUT_VALUE.contains(&text.as_ref())
}

#[cfg(test)]
mod tests {
    use super::in_order;

    fn ordered(line: &str) -> String {
        let words = in_order(line.split(' ').map(Into::into));
        let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        words.join(" ")
    }

    #[test]
    fn flags_before_the_command_go_behind_it() {
        for (given, wanted) in [
            ("c --endpoint http://h ls --json", "c ls --endpoint http://h --json"),
            (
                "c --endpoint=http://h --json bucket ls",
                "c bucket --endpoint=http://h --json ls",
            ),
            ("c ls --endpoint x", "c ls --endpoint x"),
            ("c --help", "c --help"),
            ("c --json --help", "c --json --help"),
            ("c --endpoint", "c --endpoint"),
            ("c", "c"),
        ] {
            assert_eq!(ordered(given), wanted);
        }
    }
}
