"""Charts and artifacts from a real registry, and what a lying or guarded one does."""

from __future__ import annotations

import base64
import json
import urllib.parse
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from gitops_layout.store.fetched import LOCK, fetched
from gitops_layout.store.lock import Reference, read
from tests.fetch.support import (
    CHART_LAYER,
    FLUX_LAYER,
    Registry,
    Server,
    answer,
    application,
    archive,
    chart,
    fetch,
    free_port,
    process,
    redirect,
    serving,
    sha256,
    write,
)


def helm_app(host: str, version: str) -> str:
    """Argo CD names registries without a scheme."""
    return application("web", f"{{repoURL: '{host}/acme', chart: web, targetRevision: '{version}'}}")


def oci_source(url: str, ref: str) -> str:
    return (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\n"
        "metadata: {name: platform, namespace: flux-system}\n"
        f"spec: {{interval: 5m, url: '{url}', ref: {ref}}}\n---\n"
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        "metadata: {name: platform, namespace: flux-system}\n"
        "spec: {interval: 5m, path: ./deploy, prune: true, sourceRef: {kind: OCIRepository, name: platform}}\n"
    )


CHART_REF = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: web, namespace: web}
spec: {interval: 5m, chartRef: {kind: OCIRepository, name: platform, namespace: flux-system}}
"""


def test_a_range_of_charts_is_resolved_from_the_tags(root: Path, registry: Registry) -> None:
    wanted = chart("web", "1.10.0")
    for version, content in {"1.9.0": chart("web", "1.9.0"), "1.10.0": wanted, "2.0.0-rc.1": b"rc"}.items():
        registry.push("acme/web", version, content)
    write(root, {"web.yaml": helm_app(registry.host, ">=1.0.0")})

    assert fetch(root)[:2] == (0, {"web": "fetched"})

    lock = (root / LOCK).read_bytes()
    assert b'version: "1.10.0", digest: "sha256:' in lock
    found = fetched(lock).chart(f"{registry.host}/acme", "web", ">=1.0.0")
    assert found is not None
    assert found.read_bytes() == wanted
    assert fetch(root, "--check")[:2] == (0, {"web": "kept"})


def test_build_metadata_of_a_version_is_an_underscore_in_the_tag(root: Path, registry: Registry) -> None:
    registry.push("acme/web", "1.0.0_build.5", chart("web", "1.0.0+build.5"))
    write(root, {"web.yaml": helm_app(registry.host, "1.0.0+build.5")})
    assert fetch(root)[:2] == (0, {"web": "fetched"})
    assert b'version: "1.0.0+build.5"' in (root / LOCK).read_bytes()


def test_a_tag_that_moved_is_an_error_that_names_both_digests(
    root: Path, registry: Registry, tmp_path: Path
) -> None:
    url = f"oci://{registry.host}/acme/platform"
    first = registry.push("acme/platform", "latest", archive({"deploy/a.yaml": "a: 1\n"}), FLUX_LAYER)
    write(root, {"platform.yaml": oci_source(url, "{tag: latest}")})
    assert fetch(root)[:2] == (0, {url: "fetched"})
    second = registry.push("acme/platform", "latest", archive({"deploy/a.yaml": "a: 2\n"}), FLUX_LAYER)

    for arguments, expected in ((["--check"], 1), ([], 3)):
        if not arguments:
            (tmp_path / "cache").rename(tmp_path / "gone")
        code, status, printed = fetch(root, *arguments)
        assert (code, status) == (expected, {url: "moved"})
        assert first in printed
        assert second in printed

    assert fetch(root, "--update")[:2] == (0, {url: "updated"})
    tree = fetched((root / LOCK).read_bytes()).tree(Reference("oci-artifact", url, "", "tag", "latest"))
    assert tree is not None
    assert (tree / "deploy/a.yaml").read_text() == "a: 2\n"


@pytest.mark.parametrize("newer", [False, True])
@pytest.mark.parametrize("chart_of_it", [False, True])
def test_a_tag_that_moved_under_a_range_is_an_error_that_names_both_digests(
    root: Path, registry: Registry, tmp_path: Path, chart_of_it: bool, newer: bool
) -> None:
    def push(version: str, note: str) -> str:
        if chart_of_it:
            return registry.push("acme/web", version, chart("web", version, note))
        return registry.push("acme/web", version, archive({"deploy/a.yaml": f"a: {note}\n"}), FLUX_LAYER)

    url = f"oci://{registry.host}/acme/web"
    first = push("1.0.0", "1")
    write(
        root,
        {"web.yaml": helm_app(registry.host, "1.x") if chart_of_it else oci_source(url, "{semver: 1.x}")},
    )
    assert fetch(root)[0] == 0
    second = push("1.0.0", "2")
    if newer:
        push("1.1.0", "3")
    (tmp_path / "cache").rename(tmp_path / "gone")

    for arguments, expected in ((["--check"], 1), ([], 3)):
        code, status, printed = fetch(root, *arguments)
        assert (code, list(status.values())) == (expected, ["moved"])
        assert first in printed
        assert second in printed


def test_an_artifact_by_range_digest_or_default(root: Path, registry: Registry) -> None:
    digest = registry.push("acme/one", "1.2.0", archive({"a.yaml": "a: 1\n"}), FLUX_LAYER)
    registry.push("acme/two", "1.2.0", archive({"a.yaml": "a: 2\n"}), FLUX_LAYER)
    registry.push("acme/two", "1.3.0", archive({"a.yaml": "a: 3\n"}), FLUX_LAYER)
    one, two = (f"oci://{registry.host}/acme/{name}" for name in ("one", "two"))
    write(
        root,
        {
            "clusters/a/one.yaml": oci_source(one, f"{{digest: '{digest}'}}"),
            "clusters/b/two.yaml": oci_source(two, "{semver: '~1'}"),
        },
    )
    assert fetch(root)[:2] == (0, {one: "fetched", two: "fetched"})
    store = fetched((root / LOCK).read_bytes())
    for place, text in (
        (store.tree(Reference("oci-artifact", one, "", "digest", digest)), "a: 1\n"),
        (store.tree(Reference("oci-artifact", two, "", "semver", "~1")), "a: 3\n"),
    ):
        assert place is not None
        assert (place / "a.yaml").read_text() == text


def _brought(root: Path, url: str) -> list[str]:
    """The names of the files that the lock's one artifact holds."""
    (entry,) = [e for e in read((root / LOCK).read_bytes()).entries if e.reference.url == url]
    place = fetched((root / LOCK).read_bytes()).tree(entry.reference)
    assert place is not None
    return sorted(path.name for path in place.iterdir())


def test_a_range_chooses_among_the_tags_that_the_filter_lets_through(root: Path, registry: Registry) -> None:
    url = f"oci://{registry.host}/acme/one"
    for tag in ("1.0.0-dev.1", "1.1.0-rc.1", "1.2.0"):
        registry.push("acme/one", tag, archive({tag: "a: 1\n"}), FLUX_LAYER)
    write(root, {"one.yaml": oci_source(url, "{semver: '>=1.0.0-0', semverFilter: '.*-rc.*'}")})
    assert fetch(root)[:2] == (0, {url: "fetched"})
    assert _brought(root, url) == ["1.1.0-rc.1"]
    assert b'semver: ">=1.0.0-0", semverFilter: ".*-rc.*"' in (root / LOCK).read_bytes()
    assert fetch(root, "--check")[:2] == (0, {url: "kept"})

    write(root, {"one.yaml": oci_source(url, "{semver: '>=1.0.0-0', semverFilter: '^v'}")})
    code, _, printed = fetch(root)
    assert code == 3
    assert "has no tag that matches the semverFilter '^v'" in printed


def test_of_several_layers_the_one_that_is_selected_is_brought(root: Path, registry: Registry) -> None:
    url, kind = f"oci://{registry.host}/acme/one", "application/vnd.acme.manifests.tar+gzip"
    layers = {FLUX_LAYER: archive({"docs": "a: 1\n"}), kind: archive({"manifests": "a: 2\n"})}
    registry.push_layers("acme/one", "1.0.0", layers)
    selecting = oci_source(url, "{tag: 1.0.0}").replace(
        "ref: {tag", f"layerSelector: {{mediaType: {kind}}}, ref: {{tag", 1
    )
    write(root, {"one.yaml": selecting})
    assert fetch(root)[:2] == (0, {url: "fetched"})
    assert _brought(root, url) == ["manifests"]

    write(root, {"one.yaml": selecting.replace("acme.manifests", "acme.gone")})
    code, _, printed = fetch(root)
    assert code == 3
    assert "holds no layer of media type application/vnd.acme.gone.tar+gzip" in printed


def test_of_an_index_the_manifest_that_flux_takes_is_brought(root: Path, registry: Registry) -> None:
    url = f"oci://{registry.host}/acme/one"
    digests = {
        arch: registry.push("acme/one", arch, archive({arch: "a: 1\n"}), FLUX_LAYER)
        for arch in ("arm64", "amd64")
    }
    digest = registry.push_index("acme/one", "1.0.0", digests)
    write(root, {"one.yaml": oci_source(url, "{tag: 1.0.0}")})
    assert fetch(root)[:2] == (0, {url: "fetched"})
    assert _brought(root, url) == ["amd64"]
    assert digest.encode() in (root / LOCK).read_bytes()


def test_a_chart_behind_an_oci_repository_is_found_whatever_the_object_is_called(
    root: Path, registry: Registry
) -> None:
    url = f"oci://{registry.host}/acme/web"
    content = chart("web", "1.0.0")
    registry.push("acme/web", "1.0.0", content, CHART_LAYER)
    source = oci_source(url, "{tag: 1.0.0}").partition("---\n")[0]
    write(root, {"web.yaml": f"{source}---\n{CHART_REF}"})

    code, status, printed = fetch(root)

    assert (code, status) == (0, {url: "fetched"}), printed
    found = fetched((root / LOCK).read_bytes()).chart(url, "platform", "1.0.0")
    assert found is not None
    assert found.read_bytes() == content


def test_a_missing_tag_and_an_image_that_is_no_chart_are_failures(root: Path, registry: Registry) -> None:
    registry.push("acme/web", "1.0.0", archive({"x": "y"}), "application/vnd.oci.image.layer.v1.tar+gzip")
    for version, words in (
        ("1.0.0", "holds no chart"),
        ("3.0.0", "manifests/3.0.0: 404"),
        ("9.x", " has none but 1.0.0, and none is 9.x"),
    ):
        write(root, {"web.yaml": helm_app(registry.host, version)})
        code, status, printed = fetch(root)
        assert (code, status) == (3, {"web": "failed"})
        assert words in printed


def test_dockers_stored_login_opens_a_guarded_registry(
    root: Path, registry_program: str, tmp_path: Path
) -> None:
    port = free_port()
    host = f"127.0.0.1:{port}"
    # bcrypt of "s3cret-password", cheap on purpose
    password_file = tmp_path / "htpasswd"
    password_file.write_text("bot:$2b$05$abcdefghijklmnopqrstuuUXKlvQTwfK/kphhjbeRlh5zvpJx1LLu\n")
    config = tmp_path / "guarded.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/guarded}}}}\n"
        f"http: {{addr: '{host}'}}\nauth: {{htpasswd: {{realm: x, path: {password_file}}}}}\n"
    )
    write(root, {"web.yaml": helm_app(host, "1.0.0")})
    with process([registry_program, "serve", str(config)], port):
        code, _, printed = fetch(root)
        assert code == 3
        assert "401; log in with" in printed

        helper = tmp_path / "bin/docker-credential-test"
        write(
            helper.parent,
            {
                helper.name: '#!/bin/sh\nread server\necho "{\\"Username\\": \\"bot\\", \\"Secret\\": \\"s3cret-password\\"}"\n'
            },
        )
        helper.chmod(0o755)
        for login in (
            {"auths": {host: {"auth": base64.b64encode(b"bot:s3cret-password").decode()}}},
            {"credHelpers": {host: "test"}},
        ):
            write(tmp_path / "home/.docker", {"config.json": json.dumps(login)})
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("PATH", f"{helper.parent}:/usr/bin:/bin")
                code, _, printed = fetch(root)
            assert code == 3
            assert "404" in printed, printed  # let in: the registry is empty
            assert "s3cret" not in printed


class Guarded:
    """A registry with a token server, each on its own host and with a switch to lie."""

    def __init__(self, server: Server, tokens: Server) -> None:
        self.server, self.tokens = server, tokens
        self.layer = archive({"deploy/a.yaml": "a: 1\n"})
        layers = [
            {"mediaType": FLUX_LAYER, "digest": f"sha256:{sha256(self.layer)}", "size": len(self.layer)}
        ]
        self.manifest = json.dumps({"schemaVersion": 2, "config": {}, "layers": layers}).encode()
        self.announced = f"sha256:{sha256(self.manifest)}"
        server.files["/v2/acme/platform/manifests/v1"] = self._guard(lambda: self.manifest)
        server.files[f"/v2/acme/platform/blobs/sha256:{sha256(self.layer)}"] = self._guard(lambda: self.layer)
        tokens.files["/token"] = json.dumps({"token": "opened"}).encode()

    def _guard(self, content):  # type: ignore[no-untyped-def]
        def respond(handler: BaseHTTPRequestHandler) -> None:
            if handler.headers.get("Authorization") != "Bearer opened":
                challenge = f'Bearer realm="{self.tokens.url}/token",service="reg, x",scope="repository:acme/platform:pull"'
                answer(handler, 401, b"", {"WWW-Authenticate": challenge})
            else:
                answer(handler, 200, content(), {"Docker-Content-Digest": self.announced})

        return respond


def test_a_token_is_asked_for_at_the_registrys_token_server(
    root: Path, charts: Server, tmp_path: Path
) -> None:
    with serving() as tokens:
        Guarded(charts, tokens)
        login = {"auths": {charts.host: {"auth": base64.b64encode(b"bot:s3cret").decode()}}}
        write(tmp_path / "home/.docker", {"config.json": json.dumps(login)})
        url = f"oci://{charts.host}/acme/platform"
        write(root, {"platform.yaml": oci_source(url, "{tag: v1}")})

        code, status, printed = fetch(root)

        assert (code, status) == (0, {url: "fetched"}), printed
        ((path, authorization),) = tokens.asked
        assert urllib.parse.parse_qs(path.partition("?")[2]) == {
            "service": ["reg, x"],
            "scope": ["repository:acme/platform:pull"],
        }
        assert authorization == f"Basic {base64.b64encode(b'bot:s3cret').decode()}"
        # The password goes to the token server alone; the registry sees the token.
        assert {seen for _, seen in charts.asked} == {"", "Bearer opened"}


def test_a_layer_that_lies_on_another_host_is_brought_without_the_token(root: Path, charts: Server) -> None:
    with serving() as storage:
        guarded = Guarded(charts, charts)
        layer = f"/v2/acme/platform/blobs/sha256:{sha256(guarded.layer)}"
        storage.files["/blob"] = guarded.layer
        charts.files[layer] = redirect(f"{storage.url}/blob?signature=s3cret")
        url = f"oci://{charts.host}/acme/platform"
        write(root, {"platform.yaml": oci_source(url, "{tag: v1}")})

        assert fetch(root)[:2] == (0, {url: "fetched"})
        assert [authorization for _, authorization in storage.asked] == [""]
        assert (layer, "Bearer opened") in charts.asked


@pytest.mark.parametrize("lie", ["manifest", "layer"])
def test_a_registry_that_lies_about_digests_is_refused(root: Path, charts: Server, lie: str) -> None:
    guarded = Guarded(charts, charts)
    if lie == "manifest":
        guarded.announced = f"sha256:{'0' * 64}"
    else:
        guarded.layer = archive({"deploy/a.yaml": "evil: 1\n"})
    url = f"oci://{charts.host}/acme/platform"
    write(root, {"platform.yaml": oci_source(url, "{tag: v1}")})

    code, status, printed = fetch(root)

    assert (code, status) == (3, {url: "failed"})
    assert "digest" in printed
    assert not (root / LOCK).exists()
