"""The store a script talks to and how, from its environment:

CORELANE_HOST       host and port of the gateway, such as 127.0.0.1:51080
CORELANE_ENDPOINT   the endpoint as most clients want it: http://127.0.0.1:51080/s3
CORELANE_BUCKET     a bucket the script makes, and removes when all went well
CORELANE_CA         over https: the file with the store's self-signed certificate
CORELANE_VERIFY     over https: `ca` (the client is given the certificate) or `no` (the client is told not to verify)
CORELANE_WITNESS_PUTS   `1` where the store redirects uploads, which this client does not follow: the witness uploads instead
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION

What the store cannot do yet is listed in capabilities.txt beside this file.
"""

import os
import ssl
from pathlib import Path

HOST = os.environ["CORELANE_HOST"]
ENDPOINT = os.environ["CORELANE_ENDPOINT"]
BUCKET = os.environ["CORELANE_BUCKET"]
CA = os.environ.get("CORELANE_CA")
HTTPS = ENDPOINT.startswith("https:")
#: Over https the client verifies the certificate, or is told not to.
VERIFIES = HTTPS and os.environ.get("CORELANE_VERIFY", "ca") == "ca"
WITNESS_PUTS = os.environ.get("CORELANE_WITNESS_PUTS") == "1"
ACCESS_KEY = os.environ["AWS_ACCESS_KEY_ID"]
SECRET_KEY = os.environ["AWS_SECRET_ACCESS_KEY"]
REGION = os.environ.get("AWS_DEFAULT_REGION", "us-east-1")


def tls_context():
    """For the standard library: trusts the store's certificate."""
    return ssl.create_default_context(cafile=CA) if HTTPS else None


def choose(http, ca, no):
    """One of three values: for http, for https with the certificate, for https without verification."""
    if not HTTPS:
        return http
    return ca if VERIFIES else no


def needs(capability):
    """Whether the store can do this. If not, says on standard output that a step is not run, and why."""
    for line in Path(__file__).with_name("capabilities.txt").read_text().splitlines():
        name, state, reason = (line.split(None, 2) + ["", "", ""])[:3]
        if name == capability:
            if state == "yes":
                return True
            print(f"not run: what needs {capability}: {reason}")
            return False
    raise KeyError(f"{capability} is not in capabilities.txt")
