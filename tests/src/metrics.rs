//! Reads what `GET /v1/metrics` answers.

/// The sum over all samples of a name that have these labels.
#[track_caller]
pub fn sum(text: &str, name: &str, labels: &[(&str, &str)]) -> u64 {
    let samples = text.lines().filter(|line| {
        let rest = line.strip_prefix(name).unwrap_or_default();
        rest.starts_with(['{', ' '])
            && labels
                .iter()
                .all(|(label, value)| rest.contains(&format!("{label}=\"{value}\"")))
    });
    samples
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}
