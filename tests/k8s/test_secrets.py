"""Values that look secret and are not, and the other way round (seen in real repositories)."""

from __future__ import annotations

import base64

import pytest

from gitops_layout.k8s.pods import image
from gitops_layout.k8s.secrets import secret_form


@pytest.mark.parametrize(
    ("key", "value", "form"),
    [
        ("password", "hunter2hunter", "plain"),
        ("password", "123456789", "plain"),
        ("token", "ghp_0123456789abcdefghij", "plain"),
        ("url", "postgres://app:hunter2@db:5432/app", "plain"),
        ("tls.key", "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n", "plain"),
        ("config.yaml", "user: a\npassword: hunter2\n", "plain"),
        ("username-password", "hunter2hunter", "plain"),
        ("vault-secret-id", "0b5f3d1e-6c1c-4a52-9d0e-2f1c5a7f1b11", "plain"),
        ("app.yaml", "auth:\n  token: hunter2\n", "plain"),
        ("password", "", "empty"),
        ("password", None, "empty"),
        ("password", "ENC[AES256_GCM,data:a,iv:b,tag:c,type:str]", "sops"),
        ("password", "op://vault/item/field", "placeholder"),
        ("password", "ref+vault://secret/db#password", "placeholder"),
        ("password", "<path:secret/data/db#password>", "placeholder"),
        ("password", "${DB_PASSWORD}", "placeholder"),
        ("url", "postgres://app:${DB_PASSWORD}@db/app", "placeholder"),
        ("password", "{{ .password }}", "placeholder"),
        ("password", "<your password>", "placeholder"),
        ("password", "CHANGEME", "placeholder"),
        ("password", "please-change-me", "placeholder"),
        ("token", "Y2hhbmdlbWU=", "placeholder"),
        ("password", "your-app-password", "placeholder"),
        ("key", "stripe_api_key_here", "placeholder"),
        ("client-secret", "dummyClientSecret", "placeholder"),
        ("license.pem", "dummy license file\n", "placeholder"),
        ("password", "dummy1password", "plain"),
        ("stripe-key", "sk_test_your-stripe-secret-key", "placeholder"),
        ("webhook-secret", "whsec_your-webhook-secret", "placeholder"),
        ("access_key", "my_access_key", "placeholder"),
        ("password", "my_secret_password", "plain"),
        (
            "store.yaml",
            "config:\n  access_key: MY_ACCESS_KEY\n  secret_key: MY_ACCESS_SECRET_KEY\n",
            "setting",
        ),
        ("CLIENT_SECRET", "SECRET", "placeholder"),
        ("endpoint", "http://ACCESS_KEY_ID:ACCESS_SECRET_KEY@S3_HOST:S3_PORT/BUCKET", "placeholder"),
        ("endpoint", "http://APP:SECRET@store:9000/web", "plain"),
        ("htpasswd", "# add a user with\n#  htpasswd -n admin\n", "empty"),
        ("htpasswd", "# the user\nadmin:$apr1$abcd$0123456789\n", "plain"),
        ("password", "#hunter2hunter", "plain"),
        (
            ".dockerconfigjson",
            '{"auths": {"r.example.org": {"auth": "base64 of app:<token>"}}}',
            "placeholder",
        ),
        ("cloud", "[default]\nid=${ID}\naws_secret_access_key=${KEY}\n", "placeholder"),
        ("cloud", "[default]\nid=${ID}\naws_secret_access_key=hunter2hunter\n", "plain"),
        ("API_KEY", "sk-mock", "placeholder"),
        ("AWS_ACCESS_KEY_ID", "console", "setting"),
        ("AWS_SECRET_ACCESS_KEY", "console", "plain"),
        ("CAPTCHA_SITEKEY", "10000000-ffff-ffff-ffff-000000000001", "setting"),
        ("OPENAI_API_KEY", "not-needed", "placeholder"),
        ("SENDER_PHONE_NUMBER", "+1234567890", "setting"),
        ("enabled", "true", "setting"),
        ("enabled", True, "setting"),
        ("port", "5432", "setting"),
        ("contact", "ops@example.org", "setting"),
        ("endpoint", "https://minio.example.org:9000/bucket", "setting"),
        ("dbHost", "db.example.org", "setting"),
        ("DB_USERNAME", "app", "setting"),
        ("ca.crt", "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n", "setting"),
        ("AZURE_TENANT_ID", "0b5f3d1e-6c1c-4a52-9d0e-2f1c5a7f1b11", "setting"),
        ("appId", "1234567", "setting"),
        ("LLM_PROVIDER", "generic-openai", "setting"),
        ("password", "größer-als-ascii", "plain"),
        ("CRYPTO_KEY_PROVIDER", "secret", "setting"),
        ("CRYPTO_KEY_HASH", "sha256", "setting"),
        ("SMTP_SMARTHOST", "smtp.example.org:587", "setting"),
        ("cluster_dns", "10.43.0.10", "setting"),
        ("API_TOKEN", "first.second.third", "plain"),
        ("NODE_ENV", "production", "setting"),
        ("SIDECAR_IMAGE", "ghcr.io/acme/sidecar:v0.10.0", "setting"),
        ("jobImageName", f"localhost:5000/jobs@sha256:{'0' * 64}", "setting"),
        ("backup-image", "busybox:1.37", "setting"),
        ("image", "Xy7kkWq9pp1", "plain"),
        ("image-pull-password", "hunter/hunter:2", "plain"),
        ("password", "ghcr.io/acme/sidecar:v0.10.0", "plain"),
        ("loki.yaml", "auth_enabled: false\nserver:\n  http_listen_port: 3100\n", "setting"),
        ("settings.yaml", "colour: blue\nsize: 3\n", "setting"),
        ("ha.broker.properties", "HAPolicyConfiguration=SHARED_STORE_PRIMARY\n", "setting"),
        ("jdbc.properties", "jdbcUser=app\njdbcPassword=__REPLACE_ME__\n", "setting"),
        ("jdbc.properties", "jdbcPassword=hunter2hunter\n", "plain"),
        ("users.properties", "# to be replaced\nruben=hunter2\nanne=hunter3\n", "plain"),
        ("webhook.github.secret", "$github-webhook:secret", "placeholder"),
        ("clientSecret", "placeholder-client-secret", "placeholder"),
        (
            "token",
            "This file should contain the SOPS-encrypted token that\nis used to read the registry.\n",
            "placeholder",
        ),
        ("token", "Correct horse battery staple and seven more words that nobody guesses", "plain"),
        (
            "config",
            '{"bearerToken": "<token of the account>", "tlsClientConfig": {"insecure": false}}',
            "placeholder",
        ),
        (
            "config",
            '{"bearerToken": "eyJhbGciOi1234567890", "tlsClientConfig": {"insecure": false}}',
            "plain",
        ),
        (".dockerconfigjson", '{"auths": {}}', "setting"),
        (".dockerconfigjson", '{"auths": {"ghcr.io": {"auth": "cnViZW46aHVudGVyMg=="}}}', "plain"),
        ("users.json", '{"ruben": "hunter2hunter"}', "plain"),
        ("config.json", "{}", "setting"),
        ("id_rsa.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFjbWU ruben", "setting"),
        ("WALG_CA_CERT_FILE", "/certs/minio/ca.crt", "setting"),
        (".sops.pub.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQINBF\n", "setting"),
        (
            "init.sql",
            "CREATE TABLE keys (id TEXT NOT NULL, key TEXT NOT NULL);\nGRANT ALL ON keys TO app;\n",
            "setting",
        ),
        ("init.sql", "CREATE TABLE keys (id TEXT);\nCREATE USER app WITH PASSWORD 'hunter2';\n", "plain"),
        ("theme.css", "/* secret garden */\n:root {\n  --rose: #f5e0dc;\n}\n", "setting"),
        (
            "values.yaml",
            "admin:\n  existingSecret: web-admin\n  passwordKey: password\n  # password: hunter2\n",
            "setting",
        ),
        ("values.yaml", "admin:\n  existingSecret: web-admin\n  password: hunter2\n", "plain"),
        ("trustStorePassword", "changeit", "setting"),
        ("keyStorePassword", "changeit", "plain"),
        ("values.yaml", "---\n", "empty"),
        ("values.yaml", "store:\n  accessKey: access-key\n  clientSecret: web-client\n", "setting"),
        ("teleport.yaml", "teleport:\n  auth_token: teleport-app-token\n", "plain"),
        ("values.yaml", "tls:\n  key: |\n    # -----BEGIN PRIVATE KEY-----\n    # ...\n", "setting"),
        (
            "values.yaml",
            "tls:\n  key: |\n    -----BEGIN PRIVATE KEY-----\n    MIIEvQIBADANBgkqhkiG9w0\n",
            "plain",
        ),
        ("objstore.yml", 'type: s3\nconfig:\n  access_key: ""\n  secret_key: ""\n', "setting"),
        ("objstore.yml", "type: s3\nconfig:\n  access_key: AKIA1234\n  secret_key: Zx81kq7\n", "plain"),
        (
            "login.config",
            "/* who may show a password */\nweb {\n  GuestLoginModule sufficient\n};\n",
            "setting",
        ),
    ],
)
def test_a_value_is_judged_by_its_looks(key: str, value: object, form: str) -> None:
    assert secret_form(key, value) == form
    if isinstance(value, str) and form not in ("empty", "sops"):
        encoded = base64.b64encode(value.encode()).decode()
        assert secret_form(key, encoded, encoded=True) == form


@pytest.mark.parametrize(
    ("ref", "parts"),
    [
        ("web", ("web", "", "")),
        ("localhost:5000/web", ("localhost:5000/web", "", "")),
        ("localhost:5000/web:1.0", ("localhost:5000/web", "1.0", "")),
        ("ghcr.io/a/b:1@sha256:abc", ("ghcr.io/a/b", "1", "sha256:abc")),
        ("ghcr.io/a/b@sha256:abc", ("ghcr.io/a/b", "", "sha256:abc")),
    ],
)
def test_an_image_reference_is_taken_apart(ref: str, parts: tuple[str, str, str]) -> None:
    found = image(ref)
    assert (found.name, found.tag, found.digest) == parts
