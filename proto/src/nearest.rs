//! The valid name that somebody may have meant.

use strsim::normalized_damerau_levenshtein;

/// Below this two names have too little in common for one to be a slip of the other.
const LIKENESS_MIN: f64 = 0.4;

/// The known name that is most like `wanted`; `None` when none is like it. A name without what stands before its last dots,
/// such as `write_buffer_size`, means the one that ends so.
pub fn nearest<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.trim().to_ascii_lowercase();
    let mut best: Option<(f64, &'a str)> = None;
    for name in known {
        let likeness = likeness(&wanted, &name.to_ascii_lowercase());
        if likeness >= LIKENESS_MIN && best.is_none_or(|(of_best, _)| likeness > of_best) {
            best = Some((likeness, name));
        }
    }
    best.map(|(_, name)| name)
}

fn likeness(wanted: &str, name: &str) -> f64 {
    let whole = normalized_damerau_levenshtein(wanted, name);
    let dots = wanted.matches('.').count();
    let ending = name
        .rmatch_indices('.')
        .nth(dots)
        .and_then(|(at, _)| name.get(at + 1..));
    // A little less than the same name in full.
    let of_ending = ending.map_or(0.0, |ending| normalized_damerau_levenshtein(wanted, ending) * 0.95);
    whole.max(of_ending)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const KNOWN: [&str; 4] = [
        "net.http.read_buffer_size",
        "net.http.write_buffer_size",
        "route.mode",
        "checksum.type",
    ];

    #[test]
    fn slips_find_what_was_meant() {
        for (wanted, meant) in [
            ("net.htp.write_bufer_size", "net.http.write_buffer_size"),
            ("write_buffer_size", "net.http.write_buffer_size"),
            ("http.read_buffer", "net.http.read_buffer_size"),
            ("ROUTE.MODE", "route.mode"),
            ("chekcsum.type", "checksum.type"),
            ("checksum.typ", "checksum.type"),
        ] {
            assert_eq!(nearest(wanted, KNOWN.into_iter()), Some(meant), "{wanted}");
        }
    }

    #[test]
    fn what_is_like_nothing_finds_nothing() {
        assert_eq!(nearest("zzz", KNOWN.into_iter()), None);
        assert_eq!(nearest("", KNOWN.into_iter()), None);
        assert_eq!(nearest("route.mode", std::iter::empty()), None);
    }
}
