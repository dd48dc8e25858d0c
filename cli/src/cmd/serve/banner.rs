//! What `serve` prints once requests succeed: where the store is, and lines to paste for common clients.

use super::{credentials::Credentials, tls::Tls};
use std::{
    fmt::Write,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// Everything the text shows.
pub struct Banner<'a> {
    /// Where the gateway listens.
    pub address: SocketAddr,
    /// Where buckets are served as web sites, with the first of the domains.
    pub website: Option<(u16, &'a str)>,
    /// Where clients are redirected to.
    pub advertise: Option<&'a str>,
    /// Where the cores listen, by core.
    pub core_ports: &'a [u16],
    /// As given.
    pub data: &'a [PathBuf],
    /// `None`: nothing is verified.
    pub credentials: Option<&'a Credentials>,
    /// Redirects were possible but for a missing `--advertise`.
    pub redirects_off: bool,
    /// HTTPS.
    pub tls: Option<&'a Tls>,
}

impl Banner<'_> {
    /// The text for people.
    pub fn print(&self) {
        print(&self.text());
    }

    /// One line for programs; without secrets.
    pub fn print_json(&self) {
        let mut ready = serde_json::json!({
            "port": self.address.port(),
            "core_ports": self.core_ports,
            "pid": std::process::id(),
        });
        if let (Some((port, _)), Some(fields)) = (self.website, ready.as_object_mut()) {
            fields.insert("website_port".to_owned(), port.into());
        }
        print(&format!("READY {ready}\n"));
    }

    fn text(&self) -> String {
        let host = self.client_host();
        let port = self.address.port();
        let scheme = self.scheme();
        let endpoint = format!("{scheme}://{host}:{port}/s3");
        let mut text = String::new();
        let data = self
            .data
            .iter()
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
            .join(", ");
        let ports = self
            .core_ports
            .iter()
            .map(u16::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "Corelane is ready.\n");
        let _ = writeln!(
            text,
            "  S3 endpoint  {endpoint}  (and {scheme}://{host}:{port} for clients that refuse a path)"
        );
        if let Some((port, domain)) = self.website {
            let _ = writeln!(text, "  Web sites    {scheme}://BUCKET.{domain}:{port}/");
        }
        let _ = writeln!(text, "  Data         {data}");
        let _ = writeln!(text, "  Cores        {}, on ports {ports}", self.core_ports.len());
        match self.credentials {
            Some(credentials) => {
                let _ = writeln!(text, "  Access key   {}", credentials.access_key);
                let _ = writeln!(text, "  Secret key   {}", credentials.secret_key);
            }
            None => {
                let _ = writeln!(
                    text,
                    "  Access       --anonymous: everyone who reaches this port may do everything"
                );
            }
        }
        if let Some(tls) = self.tls {
            let self_signed = match tls.said.is_self_signed() {
                true => "; self-signed: clients must be given it",
                false => "",
            };
            let certificate = tls.files.certificate.display();
            let _ = writeln!(text, "  Certificate  {certificate}{self_signed}");
        }
        if self.redirects_off {
            let _ = writeln!(
                text,
                "  Redirects    off: clients are not sent to the cores without --advertise HOST, because --host {} is every address",
                self.address.ip()
            );
        }
        text.push('\n');
        text.push_str(&self.client_lines(&host));
        text.push_str("\nCtrl-C stops it.\n");
        text
    }

    /// The lines to paste. All clients but s3cmd read the credentials from the environment.
    fn client_lines(&self, host: &str) -> String {
        let server = format!("{host}:{}", self.address.port());
        let endpoint = format!("{}://{server}/s3", self.scheme());
        // What clients must trust: aws and boto3 find it in the environment.
        let (trust, s3cmd_tls, curl_tls) = match self.tls {
            Some(tls) if tls.said.is_self_signed() => (
                format!(
                    " AWS_CA_BUNDLE={}",
                    shell_word(&tls.files.certificate.display().to_string())
                ),
                "--ssl --ca-certs=\"$AWS_CA_BUNDLE\"",
                " --cacert \"$AWS_CA_BUNDLE\"",
            ),
            Some(_) => (String::new(), "--ssl", ""),
            None => (String::new(), "--no-ssl", ""),
        };
        // s3cmd, aws and boto3 insist on credentials; a store that verifies nothing takes any.
        let (access_key, secret_key) = self.credentials.map_or(("anyone", "anything"), |keys| {
            (keys.access_key.as_str(), keys.secret_key.as_str())
        });
        let curl_signs = if self.credentials.is_some() {
            " --aws-sigv4 aws:amz:us-east-1:s3 --user \"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY\""
        } else {
            ""
        };
        format!(
            "Paste this, then any of the clients:\n\
             \n\
             export AWS_ACCESS_KEY_ID={access_key} AWS_SECRET_ACCESS_KEY={secret_key} AWS_DEFAULT_REGION=us-east-1{trust}\n\
             \n\
             s3cmd --access_key=$AWS_ACCESS_KEY_ID --secret_key=$AWS_SECRET_ACCESS_KEY --host={server}/s3 \
             --host-bucket=\"{server}/s3/%(bucket)\" {s3cmd_tls} --region us-east-1 ls\n\
             \n\
             aws --endpoint-url {endpoint} s3 ls\n\
             \n\
             python3 -c 'import boto3; print(boto3.client(\"s3\", endpoint_url=\"{endpoint}\").list_buckets()[\"Buckets\"])'\n\
             \n\
             curl -L{curl_signs}{curl_tls} {endpoint}/\n\
             \n\
             {corelane} ls\n",
            corelane = self.operating(&endpoint),
        )
    }

    /// How the command that operates the store begins, on this machine.
    fn operating(&self, endpoint: &str) -> String {
        let keys = match self.credentials {
            // It finds them in the first data directory.
            Some(_) => "",
            None => "CORELANE_ACCESS_KEY=anyone CORELANE_SECRET_KEY=anything ",
        };
        let data = self
            .data
            .first()
            .map(|path| path.display().to_string())
            .unwrap_or_default();
        format!("{keys}corelane --endpoint {endpoint} --data {}", shell_word(&data))
    }

    fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The host as a client on this machine (or, when advertised, anywhere) writes it in a URL.
    fn client_host(&self) -> String {
        let host = match (self.advertise, self.address.ip()) {
            (Some(host), _) => host.to_owned(),
            (None, ip) if ip.is_unspecified() => "127.0.0.1".to_owned(),
            (None, ip) => ip.to_string(),
        };
        match host.parse::<IpAddr>() {
            Ok(IpAddr::V6(v6)) => format!("[{v6}]"),
            _ => host,
        }
    }
}

/// One word for a shell, whatever it holds.
fn shell_word(text: &str) -> String {
    if text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+:@".contains(c)) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Standard output may be closed, as under `corelane serve >&-`; the store serves all the same.
fn print(text: &str) {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Banner, shell_word};
    use crate::{
        certificate::{CertificateFiles, describe::of_pem, make::make},
        cmd::serve::{credentials::Credentials, tls::Tls},
    };
    use std::{path::PathBuf, sync::OnceLock};

    fn banner<'a>(credentials: Option<&'a Credentials>, advertise: Option<&'a str>) -> Banner<'a> {
        static DATA: OnceLock<Vec<PathBuf>> = OnceLock::new();
        let data = DATA.get_or_init(|| vec![PathBuf::from("/my disk")]);
        Banner {
            address: "[::]:9000".parse().unwrap(),
            website: Some((9100, "store.example")),
            advertise,
            core_ports: &[9001, 9002],
            data,
            credentials,
            redirects_off: advertise.is_none(),
            tls: None,
        }
    }

    #[test]
    fn with_https_the_lines_bring_the_certificate() {
        let made = make(&["localhost".to_owned()]).unwrap();
        let tls = Tls {
            files: CertificateFiles::in_directory("/my data".as_ref()),
            said: of_pem(made.certificate_pem().as_bytes()).unwrap(),
        };
        let banner = Banner {
            tls: Some(&tls),
            ..banner(None, Some("store.example"))
        };
        let text = banner.text();
        assert!(!text.contains("http://") && !text.contains("--no-ssl"), "{text}");
        assert!(text.contains("AWS_CA_BUNDLE='/my data/cert.pem'\n"), "{text}");
        assert!(text.contains("--ssl --ca-certs=\"$AWS_CA_BUNDLE\""), "{text}");
        assert!(text.contains("https://store.example:9000/s3"), "{text}");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
    }

    #[test]
    fn the_text_has_an_address_a_client_can_use() {
        let keys = Credentials {
            access_key: "ACCESS".to_owned(),
            secret_key: "SECRET".to_owned(),
        };
        let text = banner(Some(&keys), Some("fd00::7")).text();
        assert!(text.contains("aws --endpoint-url http://[fd00::7]:9000/s3 s3 ls"));
        assert!(
            text.contains("\ncorelane --endpoint http://[fd00::7]:9000/s3 --data '/my disk' ls\n"),
            "{text}"
        );
        assert!(text.contains("2, on ports 9001, 9002"));
        assert!(text.contains("http://BUCKET.store.example:9100/"));
        assert!(text.contains("AWS_SECRET_ACCESS_KEY=SECRET") && !text.contains("Redirects"));
    }

    #[test]
    fn a_store_that_verifies_nothing_prints_no_credentials_and_says_what_is_off() {
        let text = banner(None, None).text();
        assert!(text.contains("--anonymous") && text.contains("Redirects    off"));
        assert!(!text.contains("--aws-sigv4") && text.contains("http://127.0.0.1:9000/s3"));
    }
}
