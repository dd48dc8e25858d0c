//! What a gateway tells a core of settings that have changed: `Grant::Configure`, a body of names and values.

use super::map::{count, decode_list};
use crate::{
    limits::CONFIGURE_SETTINGS_MAX,
    wire::{Decoder, Encoder, WireError},
};

/// POST: `Grant::Configure`; request body `Configure`; empty answer, or an S3 error.
pub const CONFIGURE_PATH: &str = "/_corelane/configure";

/// Settings with their values, which act at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configure {
    /// Names of settings, and values as `Setting::parse` gives them; files by absolute names.
    pub settings: Vec<(String, String)>,
}

impl Configure {
    /// Encodes it.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.u32(count(self.settings.len()));
        for (name, value) in &self.settings {
            encoder.string(name).string(value);
        }
    }
    /// Decodes it; at most CONFIGURE_SETTINGS_MAX settings.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let settings = decode_list(decoder, CONFIGURE_SETTINGS_MAX, |decoder| {
            Ok((decoder.string()?, decoder.string()?))
        })?;
        Ok(Self { settings })
    }
    /// The value of a name.
    pub fn value(&self, wanted: &str) -> Option<&str> {
        let mut found = self.settings.iter().filter(|(name, _)| name == wanted);
        found.next().map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Configure;
    use crate::wire::{Decoder, Encoder};

    #[test]
    fn it_round_trips() {
        let message = Configure {
            settings: vec![
                ("scrub.interval_s".to_owned(), "5".to_owned()),
                (String::new(), String::new()),
            ],
        };
        let mut encoder = Encoder::new();
        message.encode(&mut encoder);
        let bytes = encoder.finish();
        let decoded = Configure::decode(&mut Decoder::new(&bytes)).unwrap();
        assert_eq!(decoded, message);
        assert_eq!(decoded.value("scrub.interval_s"), Some("5"));
        assert_eq!(decoded.value("scrub"), None);
        for cut in 0..bytes.len() {
            assert!(Configure::decode(&mut Decoder::new(&bytes[..cut])).is_err());
        }
    }
}
