//! The headers that let a browser's script see an answer. A gateway resolves them from a bucket's rules; whoever answers
//! writes them.

use crate::{
    http::response::ResponseWriter,
    wire::{Decoder, Encoder, WireError},
};

/// What a rule grants to one origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsHeaders {
    /// The origin asked for, or `*`.
    pub allow_origin: String,
    /// The rule's methods.
    pub allow_methods: String,
    /// Of a preflight: the headers asked for; else empty.
    pub allow_headers: String,
    /// What a script may read; empty: nothing beyond what it may anyway.
    pub expose_headers: String,
    /// How long a browser may remember it.
    pub max_age_s: Option<u32>,
}

impl CorsHeaders {
    /// Names and values, as S3 sends them. `Vary`, because another origin gets another answer; credentials are allowed to
    /// origins that are named, never to `*`, which browsers refuse together.
    pub fn each(&self, mut header: impl FnMut(&'static str, &str)) {
        header("Access-Control-Allow-Origin", &self.allow_origin);
        header("Access-Control-Allow-Methods", &self.allow_methods);
        if !self.allow_headers.is_empty() {
            header("Access-Control-Allow-Headers", &self.allow_headers);
        }
        if !self.expose_headers.is_empty() {
            header("Access-Control-Expose-Headers", &self.expose_headers);
        }
        if let Some(max_age_s) = self.max_age_s {
            header("Access-Control-Max-Age", &max_age_s.to_string());
        }
        if self.allow_origin != "*" {
            header("Access-Control-Allow-Credentials", "true");
        }
        header(
            "Vary",
            "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
        );
    }

    /// Writes them.
    pub fn write(&self, response: &mut ResponseWriter<'_>) {
        self.each(|name, value| {
            response.header(name, value);
        });
    }

    /// Encodes for a ticket.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder
            .string(&self.allow_origin)
            .string(&self.allow_methods)
            .string(&self.allow_headers)
            .string(&self.expose_headers)
            .option(self.max_age_s, |encoder, max_age_s| {
                encoder.u32(max_age_s);
            });
    }

    /// Decodes it.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            allow_origin: decoder.string()?,
            allow_methods: decoder.string()?,
            allow_headers: decoder.string()?,
            expose_headers: decoder.string()?,
            max_age_s: decoder.option(Decoder::u32)?,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::CorsHeaders;
    use crate::wire::{Decoder, Encoder};

    fn headers(origin: &str) -> CorsHeaders {
        CorsHeaders {
            allow_origin: origin.to_owned(),
            allow_methods: "GET".to_owned(),
            allow_headers: String::new(),
            expose_headers: "ETag".to_owned(),
            max_age_s: Some(7),
        }
    }

    #[test]
    fn credentials_go_to_named_origins_only() {
        let names = |origin: &str| {
            let mut names = Vec::new();
            headers(origin).each(|name, _| names.push(name));
            names
        };
        assert!(names("http://a").contains(&"Access-Control-Allow-Credentials"));
        assert!(!names("*").contains(&"Access-Control-Allow-Credentials"));
        assert!(!names("*").contains(&"Access-Control-Allow-Headers"));
    }

    #[test]
    fn encoded_and_decoded() {
        let mut encoder = Encoder::new();
        headers("http://a").encode(&mut encoder);
        let bytes = encoder.finish();
        assert_eq!(
            CorsHeaders::decode(&mut Decoder::new(&bytes)).unwrap(),
            headers("http://a")
        );
        for cut in 0..bytes.len() {
            assert!(CorsHeaders::decode(&mut Decoder::new(&bytes[..cut])).is_err());
        }
    }
}
