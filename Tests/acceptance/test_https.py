"""HTTPS on the gateway: both versions of HTTP on one port, chosen by ALPN."""

import json
import os

import pytest

from support.processes import executable, run


@pytest.fixture
def identity(tmp_path):
    """A certificate that signs itself, and its key."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=gateway"]
    result = run([*command, "-keyout", str(key), "-out", str(certificate)])
    assert result.returncode == 0, result.stderr
    return certificate, key


def test_https_serves_both_versions(start_cluster, identity):
    # Relative, as people type them: they count from where `up` was started.
    certificate, key = (os.path.relpath(path) for path in identity)
    options = ["--gateway-tls-certificate", certificate, "--gateway-tls-key", key]
    cluster = start_cluster(workers=1, options=options)
    assert cluster.url.startswith("https://127.0.0.1:"), cluster.url
    assert (cluster.state / "gateway.url").read_text().strip() == cluster.url

    for option, version in (("--http1.1", "1.1"), ("--http2", "2")):
        command = ["curl", "--silent", "--show-error", "--insecure", "--max-time", "30", option]
        result = run([*command, "--write-out", "\n%{http_version} %{http_code}", cluster.url + "/live"])
        assert result.returncode == 0, result.stderr
        body, summary = result.stdout.rsplit("\n", 1)
        assert summary == f"{version} 200" and json.loads(body)["status"] == "ok"

    # Who does not trust the certificate gets nothing, and neither does cleartext.
    assert run(["curl", "--silent", "--max-time", "30", cluster.url + "/live"]).returncode == 60
    cleartext = run(["curl", "--silent", "--max-time", "30", cluster.url.replace("https", "http") + "/live"])
    assert cleartext.returncode != 0 and cleartext.stdout == ""

    # The one command that asks the gateway speaks cleartext only, and says so.
    result = run([executable("clusterctl"), "generate", "--state", str(cluster.state), "Hello"])
    assert result.returncode != 0 and "only http is supported, not 'https'" in result.stderr, result.stderr
    assert cluster.stop() == 0


def test_half_an_identity_is_refused(start_cluster, identity):
    cluster = start_cluster(workers=0, options=["--gateway-tls-certificate", str(identity[0])], ready=False)
    assert cluster.process.wait() != 0
    assert "tls_key" in "\n".join(cluster.process.errors)
