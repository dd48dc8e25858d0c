//! AWS Signature Version 2: taken where it is allowed, refused as S3 does everywhere else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::Clients,
    request::Request,
    store::{ACCESS_KEY, Store},
};

const NOT_SUPPORTED: &str =
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";

#[test]
fn it_is_off_unless_allowed() {
    let store = Store::start();
    store.make_bucket("two");
    store.put("two", "key", "content");
    let header = Request::object("GET", "two", "key").header("Host", "h").header(
        "Authorization",
        format!("AWS {ACCESS_KEY}:bWq2s1WEIj+Ydj0vQ697zp+IXMU="),
    );
    let presigned = Request::object("GET", "two", "key")
        .header("Host", "h")
        .query("AWSAccessKeyId", ACCESS_KEY)
        .query("Expires", "99999999999")
        .query("Signature", "bWq2s1WEIj+Ydj0vQ697zp+IXMU=");
    let malformed = Request::object("GET", "two", "key")
        .header("Host", "h")
        .header("Authorization", "AWS whatever");
    for request in [header, presigned, malformed] {
        let answer = store.send_as_is(&request).expect_error(400, "InvalidRequest");
        assert!(answer.text().contains(NOT_SUPPORTED), "{}", answer.text());
    }
    let clients = Clients::new(&store);
    // s3cmd reads the message and signs again as it says.
    let listed = clients.s3cmd(&["--signature-v2", "ls", "s3://two"]);
    listed.ok().says("s3://two/key");
}

#[test]
fn a_wrong_signature_is_refused_where_it_is_allowed() {
    let store = Store::start_with(&["--allow-sigv2"]);
    store.make_bucket("two");
    store.put("two", "key", "content");
    let request = |access_key: &str| {
        let date = proto::http::date::http(corelane_tests::sign::now_unix_s() * 1000);
        let request = Request::object("GET", "two", "key")
            .header("Host", "h")
            .header("Date", date);
        request.header(
            "Authorization",
            format!("AWS {access_key}:bWq2s1WEIj+Ydj0vQ697zp+IXMU="),
        )
    };
    store
        .send_as_is(&request(ACCESS_KEY))
        .expect_error(403, "SignatureDoesNotMatch");
    store
        .send_as_is(&request("NOBODY"))
        .expect_error(403, "InvalidAccessKeyId");
    let unsigned = Request::object("GET", "two", "key").header("Host", "h");
    store.send_as_is(&unsigned).expect_error(403, "AccessDenied");
    let log = store.log();
    assert!(!log.contains("bWq2s1WEIj"), "a signature in the log");
}

#[test]
fn keys_are_not_managed_with_it() {
    let store = Store::start_with(&["--allow-sigv2"]);
    let clients = Clients::new(&store);
    // The canonical resource of an admin path is its path, as any other.
    let answer = clients.python_source(&format!(
        "import base64, email.utils, hmac, os, urllib.error, urllib.request\n\
         date = email.utils.formatdate(usegmt=True)\n\
         secret = os.environ['AWS_SECRET_ACCESS_KEY'].encode()\n\
         digest = hmac.digest(secret, f'GET\\n\\n\\n{{date}}\\n/v1/keys'.encode(), 'sha1')\n\
         signature = base64.b64encode(digest).decode()\n\
         headers = {{'Date': date, 'Authorization': 'AWS ' + os.environ['AWS_ACCESS_KEY_ID'] + ':' + signature}}\n\
         try:\n\
         \x20   urllib.request.urlopen(urllib.request.Request('http://127.0.0.1:{}/v1/keys', headers=headers))\n\
         except urllib.error.HTTPError as error:\n\
         \x20   print(error.read())\n",
        store.port()
    ));
    answer.ok().says("AccessDenied").says("AWS4-HMAC-SHA256");
}

#[test]
fn boto3_signs_and_presigns_with_it() {
    for route in ["auto", "proxy"] {
        let store = Store::start_with(&["--route", route, "--allow-sigv2"]);
        Clients::new(&store)
            .python("boto3_sigv2.py", &[])
            .ok()
            .says("all passed");
    }
}

#[test]
fn s3cmd_signs_and_presigns_with_it() {
    for (route, forms) in [("auto", 3), ("redirect", 1)] {
        let store = Store::start_with(&["--route", route, "--allow-sigv2"]);
        let clients = Clients::new(&store);
        let server = format!("127.0.0.1:{}", store.port());
        std::fs::write(clients.home().join("file"), "content").unwrap();
        for (host, in_bucket) in [
            (format!("{server}/s3"), format!("{server}/s3/%(bucket)")),
            (format!("{server}/s3"), format!("{server}/s3/%(bucket)s")),
            (server.clone(), format!("{server}/%(bucket)")),
        ]
        .into_iter()
        .take(forms)
        {
            let s3cmd = |arguments: &str| {
                clients
                    .shell(&format!(
                        "s3cmd --signature-v2 --access_key=$AWS_ACCESS_KEY_ID --secret_key=$AWS_SECRET_ACCESS_KEY --no-ssl \
                         --no-progress --host={host} --host-bucket='{in_bucket}' {arguments}"
                    ))
                    .ok()
            };
            s3cmd("mb s3://two");
            s3cmd("put --mime-type=text/x-test --add-header=x-amz-meta-colour:blue file 's3://two/a key+ü'");
            s3cmd("ls").says("s3://two");
            s3cmd("ls s3://two").says("s3://two/a key+ü");
            s3cmd("info s3://two").says("Location:");
            s3cmd("info 's3://two/a key+ü'").says("text/x-test").says("blue");
            s3cmd("get --force 's3://two/a key+ü' got");
            assert_eq!(std::fs::read_to_string(clients.home().join("got")).unwrap(), "content");
            let url = s3cmd("signurl 's3://two/a key+ü' +60").stdout;
            // With a bucket in the host's template, s3cmd writes the bucket before the host.
            if !in_bucket.ends_with(")s") {
                let got = clients.plain_curl(&["-L", "--fail", url.trim()]);
                assert_eq!(got.ok().stdout, "content", "{url}");
                let other = url.trim().replace("a%20key", "another%20key");
                clients.plain_curl(&["-L", &other]).ok().says("SignatureDoesNotMatch");
                let typed = s3cmd("signurl --content-type=text/x-other 's3://two/a key+ü' +60").stdout;
                let head = clients
                    .plain_curl(&["-L", "-sD", "-", "-o", "/dev/null", typed.trim()])
                    .ok()
                    .stdout;
                assert!(
                    head.to_ascii_lowercase().contains("content-type: text/x-other"),
                    "{head}"
                );
            }
            s3cmd("rb --recursive --force s3://two");
        }
    }
}
