//! The policies of PostObject's forms (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>)
//! and who may sign them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::Clients,
    digest::base64,
    form::{FAR, Form},
    raw::Response,
    store::{ACCESS_KEY, SECRET_KEY, Store},
    xml,
};

const BUCKET: &str = "forms";

fn store() -> Store {
    store_with(&[])
}

fn store_with(arguments: &[&str]) -> Store {
    let store = Store::start_with(arguments);
    store.make_bucket(BUCKET);
    store
}

/// Sends a form as it is.
#[track_caller]
fn post(store: &Store, form: &Form) -> Response {
    store.send_as_is(&store.addressed(form.request(BUCKET)))
}

/// Every error leaves nothing behind.
#[track_caller]
fn refused(store: &Store, form: &Form, status: u16, code: &str, message: &str) {
    let answer = post(store, form).expect_error(status, code).text();
    assert!(answer.contains(message), "{answer}");
    assert_eq!(store.keys(BUCKET), Vec::<String>::new());
}

#[test]
fn policies_are_enforced() {
    let store = store();
    let signer = store.signer();
    let form = Form::new("user/key", "content").credential(&signer);
    let with = |policy: &str| form.clone().signed_policy(&signer, policy);
    let whole = form.policy(BUCKET, "", FAR);
    for (policy, message) in [
        (
            form.policy("another", "", FAR),
            "Policy Condition failed: [&quot;eq&quot;, &quot;$bucket&quot;, &quot;another&quot;]",
        ),
        (
            form.policy(BUCKET, "", "2013-08-01T12:00:00.000Z"),
            "Invalid according to Policy: Policy expired.",
        ),
        (
            form.policy(BUCKET, "[\"starts-with\", \"$key\", \"other/\"]", FAR),
            "Policy Condition failed: [",
        ),
        (
            form.policy(BUCKET, "{\"x-amz-meta-a\": \"b\"}", FAR),
            "Policy Condition failed: [",
        ),
        (whole.replace("$key", "$x-amz-meta-a"), "Policy Condition failed: ["),
    ] {
        refused(&store, &with(&policy), 403, "AccessDenied", message);
    }
    let extra = with(&whole).field("x-amz-meta-more", "1").field("acl", "private");
    refused(
        &store,
        &extra,
        403,
        "AccessDenied",
        "Invalid according to Policy: Extra input fields: x-amz-meta-more, acl",
    );
    for policy in [
        "",
        "{",
        "[]",
        "{\"expiration\": \"2099-12-01T12:00:00.000Z\"}",
        "{\"conditions\": []}",
    ] {
        refused(
            &store,
            &with(policy),
            400,
            match policy {
                "" => "InvalidArgument",
                _ => "InvalidPolicyDocument",
            },
            "",
        );
    }
    post(&store, &with(&whole)).expect_status(204);
    // In any case, and with a condition for every part of a list of types.
    let form = Form::new("user/key", "content")
        .field("cOnTeNt-TyPe", "image/png,image/gif")
        .credential(&signer);
    let policy = Form {
        fields: form.fields[2..].to_vec(),
        files: Vec::new(),
    }
    .policy(
        BUCKET,
        "[\"sTaRts-With\", \"$KEY\", \"user/\"], [\"starts-with\", \"$Content-Type\", \"image/\"]",
        FAR,
    );
    post(&store, &form.signed_policy(&signer, &policy)).expect_status(204);
}

/// content-length-range.
#[test]
fn the_files_length_is_enforced() {
    let store = store();
    let signer = store.signer();
    let with = |length: usize, range: &str| {
        Form::new("key", vec![b'x'; length]).sign(&signer, BUCKET, &format!("[\"content-length-range\", {range}]"))
    };
    for (length, range, code, field, limit) in [
        (9, "10, 20", "EntityTooSmall", "MinSizeAllowed", "10"),
        (0, "1, 1", "EntityTooSmall", "MinSizeAllowed", "1"),
        (21, "10, 20", "EntityTooLarge", "MaxSizeAllowed", "20"),
        (1, "0, 0", "EntityTooLarge", "MaxSizeAllowed", "0"),
        (300_001, "0, 300000", "EntityTooLarge", "MaxSizeAllowed", "300000"),
        (700_000, "800000, 900000", "EntityTooSmall", "MinSizeAllowed", "800000"),
    ] {
        let answer = post(&store, &with(length, range)).expect_error(400, code).text();
        assert_eq!(xml::text(&answer, field).as_deref(), Some(limit), "{answer}");
        assert!(xml::text(&answer, "ProposedSize").is_some(), "{answer}");
        assert_eq!(store.keys(BUCKET), Vec::<String>::new());
    }
    for (length, range) in [(10, "10, 20"), (20, "10, 20"), (0, "0, 0"), (300_000, "0, 300000")] {
        post(&store, &with(length, range)).expect_status(204);
        assert_eq!(store.get(BUCKET, "key").body.len(), length);
    }
    refused_policy(&store, "0");
    refused_policy(&store, "-1, 0");
}

#[track_caller]
fn refused_policy(store: &Store, range: &str) {
    let form = Form::new("new", "x").sign(&store.signer(), BUCKET, &format!("[\"content-length-range\", {range}]"));
    post(store, &form).expect_error(400, "InvalidPolicyDocument");
}

#[test]
fn only_signed_forms_are_taken() {
    let store = store();
    let signer = store.signer();
    refused(&store, &Form::new("key", "x"), 403, "AccessDenied", "Access Denied");
    let whole = Form::new("key", "x").sign(&signer, BUCKET, "");
    for name in [
        "policy",
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-signature",
    ] {
        let mut form = whole.clone();
        form.fields.retain(|(known, _)| known != name);
        refused(
            &store,
            &form,
            400,
            "InvalidArgument",
            "Bucket POST must contain a field named",
        );
    }
    let mut other = store.signer();
    other.secret_key.push('x');
    let form = Form::new("key", "x").sign(&other, BUCKET, "");
    refused(&store, &form, 403, "SignatureDoesNotMatch", "<SignatureProvided>");
    other.access_key = "NOSUCHKEY00000000000".to_owned();
    let form = Form::new("key", "x").sign(&other, BUCKET, "");
    refused(&store, &form, 403, "InvalidAccessKeyId", "");
    // A policy is signed in whole.
    let mut form = whole.clone();
    for (name, value) in &mut form.fields {
        if name == "policy" {
            *value = base64(Form::new("key", "x").policy(BUCKET, "", FAR).as_bytes());
        }
    }
    refused(&store, &form, 403, "SignatureDoesNotMatch", "");
    let version_2 = Form::new("key", "x")
        .field("AWSAccessKeyId", ACCESS_KEY)
        .field("signature", "AAAA")
        .field("policy", "e30=");
    refused(&store, &version_2, 400, "InvalidRequest", "Please use AWS4-HMAC-SHA256");
    let nowhere = Form::new("key", "x").sign(&signer, "nowhere", "");
    store
        .send_as_is(&store.addressed(nowhere.request("nowhere")))
        .expect_error(404, "NoSuchBucket");
    post(&store, &whole).expect_status(204);
}

#[test]
fn without_verification_everyone_may() {
    let store = store_with(&["--anonymous"]);
    post(&store, &Form::new("key", "content")).expect_status(204);
    assert_eq!(store.get(BUCKET, "key").body, b"content");
    // A policy that is there holds.
    let form = Form::new("key", "other").credential(&store.signer());
    let policy = form.policy("another", "", FAR);
    post(&store, &form.signed_policy(&store.signer(), &policy)).expect_error(403, "AccessDenied");
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingHTTPPOST.html>, where an operator allows it.
#[test]
fn signature_version_2() {
    let store = store_with(&["--allow-sigv2"]);
    let script = format!(
        "import base64, hashlib, hmac, json\n\
         policy = base64.b64encode(json.dumps({{'expiration': '{FAR}', 'conditions': [{{'bucket': '{BUCKET}'}}, \
         ['starts-with', '$key', '']]}}).encode())\n\
         print(policy.decode(), base64.b64encode(hmac.new(b'{SECRET_KEY}', policy, hashlib.sha1).digest()).decode())"
    );
    let output = Clients::new(&store).python_source(&script).ok().stdout;
    let (policy, signature) = output.trim().split_once(' ').unwrap();
    let form = Form::new("key", "content")
        .field("AWSAccessKeyId", ACCESS_KEY)
        .field("policy", policy);
    post(&store, &form.clone().field("signature", signature)).expect_status(204);
    post(&store, &form.field("signature", "AAAA")).expect_error(403, "SignatureDoesNotMatch");
    assert_eq!(store.get(BUCKET, "key").body, b"content");
}
