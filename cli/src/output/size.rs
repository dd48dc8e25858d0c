//! Sizes for people.

/// `512B`, `69.99KiB`, `1.50GiB`: two digits behind the point, the next unit from 1024 on.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut hundredths = u128::from(bytes) * 100;
    let mut unit = "B";
    for next in UNITS {
        // What would be written as 1024.00 of a unit is 1.00 of the next.
        if hundredths < 102_400 {
            break;
        }
        hundredths = (hundredths * 2 + 1024) / 2048;
        unit = next;
    }
    format!("{}.{:02}{unit}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_two_digits_and_the_right_unit() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00KiB"),
            (71_671, "69.99KiB"),
            (1_048_575, "1.00MiB"),
            (1_048_576, "1.00MiB"),
            (1_610_612_736, "1.50GiB"),
            (u64::MAX, "16.00EiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
