"""Charts from chart repositories: ranges, digests, locks, hostile servers, kills and races."""

from __future__ import annotations

import hashlib
import json
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from gitops_layout.store.fetched import LOCK, fetched
from tests.fetch.support import Server, application, archive, chart, fetch, redirect, serving, start, write


def app(server: Server, version: str = "1.x", name: str = "web") -> str:
    return application(name, f"{{repoURL: '{server.url}', chart: {name}, targetRevision: '{version}'}}")


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_range_is_resolved_recorded_and_found_offline(root: Path, charts: Server) -> None:
    wanted = chart("web", "1.10.0")
    charts.serve(
        {"web": {"1.9.0": chart("web", "1.9.0"), "1.10.0": wanted, "2.0.0-rc.1": b"", "1.11.0-rc.1": b""}}
    )
    write(root, {"apps/web.yaml": app(charts)})

    assert fetch(root)[:2] == (0, {"web": "fetched"})

    lock = (root / LOCK).read_bytes()
    assert b'resolved: {version: "1.10.0"}' in lock
    found = fetched(lock).chart(charts.url, "web", "1.x")
    assert found is not None
    assert found.read_bytes() == wanted
    assert fetched(lock).chart(charts.url, "web", "2.x") is None


def test_a_second_run_contacts_nobody_and_changes_nothing(root: Path, charts: Server) -> None:
    charts.serve({"web": {"1.0.0": chart("web", "1.0.0")}})
    write(root, {"web.yaml": app(charts)})
    fetch(root)
    lock = (root / LOCK).read_bytes()
    charts.asked.clear()
    charts.files.clear()

    assert fetch(root)[:2] == (0, {"web": "kept"})
    assert charts.asked == []
    assert (root / LOCK).read_bytes() == lock


def test_only_what_is_declared_is_asked_for(root: Path, charts: Server) -> None:
    charts.serve({"web": {"1.0.0": chart("web", "1.0.0")}, "db": {"1.0.0": chart("db", "1.0.0")}})
    write(root, {"web.yaml": app(charts), "again.yaml": app(charts).replace("name: web,", "name: again,")})

    assert fetch(root)[0] == 0
    assert [path for path, _ in charts.asked] == ["/index.yaml", "/charts/web-1.0.0.tgz"]


def test_content_that_is_not_what_the_index_announced_is_refused(root: Path, charts: Server) -> None:
    charts.serve({"web": {"1.0.0": chart("web", "1.0.0")}})
    charts.files["/charts/web-1.0.0.tgz"] = chart("web", "1.0.0", "evil")
    write(root, {"web.yaml": app(charts)})

    code, status, printed = fetch(root)

    assert (code, status) == (3, {"web": "failed"})
    assert "was announced" in printed
    assert not (root / LOCK).exists()


def test_a_version_that_was_replaced_is_an_error_that_names_both_digests(
    root: Path, charts: Server, tmp_path: Path
) -> None:
    first, second = chart("web", "1.0.0"), chart("web", "1.0.0", "replaced")
    charts.serve({"web": {"1.0.0": first}})
    write(root, {"web.yaml": app(charts, "1.0.0")})
    fetch(root)
    lock = (root / LOCK).read_bytes()
    charts.serve({"web": {"1.0.0": second}})

    assert fetch(root, "--check")[:2] == (1, {"web": "moved"})
    (tmp_path / "cache").rename(tmp_path / "gone")  # another machine, with the same lock
    code, status, printed = fetch(root)
    assert (code, status) == (3, {"web": "moved"})
    digests = [row.split('"')[1] for row in lock.decode().splitlines() if "sha256:" in row]
    assert digests[0] in printed
    assert (root / LOCK).read_bytes() == lock

    assert fetch(root, "--update")[:2] == (0, {"web": "updated"})
    assert fetch(root)[:2] == (0, {"web": "kept"})
    assert (root / LOCK).read_bytes() != lock


def test_without_digests_in_the_index_the_lock_still_notices_other_content(
    root: Path, charts: Server, tmp_path: Path
) -> None:
    charts.serve({"web": {"1.0.0": chart("web", "1.0.0")}}, digests=False)
    write(root, {"web.yaml": app(charts)})
    fetch(root)
    charts.serve({"web": {"1.0.0": chart("web", "1.0.0", "replaced")}}, digests=False)
    (tmp_path / "cache").rename(tmp_path / "gone")

    assert fetch(root)[:2] == (3, {"web": "moved"})


def test_the_locked_version_is_brought_although_a_newer_one_is_out(
    root: Path, charts: Server, tmp_path: Path
) -> None:
    old = chart("web", "1.0.0")
    charts.serve({"web": {"1.0.0": old}})
    write(root, {"web.yaml": app(charts)})
    fetch(root)
    charts.serve({"web": {"1.0.0": old, "1.1.0": chart("web", "1.1.0")}})
    (tmp_path / "cache").rename(tmp_path / "gone")

    assert fetch(root)[:2] == (0, {"web": "fetched"})
    assert b'{version: "1.0.0"}' in (root / LOCK).read_bytes()
    assert fetch(root, "--check")[:2] == (1, {"web": "newer"})
    assert fetch(root, "--update")[:2] == (0, {"web": "updated"})
    assert b'{version: "1.1.0"}' in (root / LOCK).read_bytes()
    assert fetch(root, "--check")[:2] == (0, {"web": "kept"})
    charts.serve({"web": {"1.0.0": old, "1.1.0": chart("web", "1.1.0", "replaced")}})
    assert fetch(root, "--check")[:2] == (1, {"web": "moved"})


def test_a_version_that_was_replaced_under_a_range_is_an_error_although_a_newer_one_is_out(
    root: Path, charts: Server, tmp_path: Path
) -> None:
    old, replaced, new = (chart("web", v, note) for v, note in (("1.0.0", ""), ("1.0.0", "x"), ("1.1.0", "")))
    charts.serve({"web": {"1.0.0": old}})
    write(root, {"web.yaml": app(charts)})
    fetch(root)
    charts.serve({"web": {"1.0.0": replaced, "1.1.0": new}})
    assert fetch(root, "--check")[:2] == (1, {"web": "moved"})
    (tmp_path / "cache").rename(tmp_path / "gone")

    code, status, printed = fetch(root)
    assert (code, status) == (3, {"web": "moved"})
    assert all(hashlib.sha256(content).hexdigest() in printed for content in (old, replaced))


def test_check_says_what_is_missing_and_writes_nothing(root: Path, charts: Server, tmp_path: Path) -> None:
    charts.serve({"web": {"1.0.0": chart("web", "1.0.0")}})
    write(root, {"web.yaml": app(charts)})
    assert fetch(root, "--check")[:2] == (1, {"web": "missing"})
    assert not (root / LOCK).exists()
    fetch(root)
    (tmp_path / "cache").rename(tmp_path / "gone")
    assert fetch(root, "--check")[:2] == (1, {"web": "missing"})


def test_a_server_that_never_answers_ends_at_the_time_limit_and_spoils_nothing_else(
    root: Path, charts: Server
) -> None:
    charts.serve({"web": {"1.0.0": chart("web", "1.0.0")}, "db": {"1.0.0": chart("db", "1.0.0")}})
    released = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while not released.wait(0.2):
            handler.wfile.write(b".")  # often enough that no read times out
            handler.wfile.flush()

    charts.files["/charts/db-1.0.0.tgz"] = drip
    write(root, {"web.yaml": app(charts), "db.yaml": app(charts, name="db")})
    started = time.monotonic()

    code, status, printed = fetch(root, "--timeout=2")

    released.set()
    assert (code, status) == (3, {"web": "fetched", "db": "failed"})
    assert "db.yaml:" not in printed  # JSON says it by field
    assert '"file": "db.yaml"' in printed
    assert "no answer within 2 s" in printed
    assert time.monotonic() - started < 60
    assert b"web" in (root / LOCK).read_bytes()
    assert b"db" not in (root / LOCK).read_bytes()


def test_an_archive_that_leaves_its_folder_is_refused_before_the_lock_names_it(
    root: Path, charts: Server, tmp_path: Path
) -> None:
    charts.serve({"web": {"1.0.0": archive({"web/Chart.yaml": "name: web\n", "../../../evil": "x"})}})
    write(root, {"web.yaml": app(charts)})

    code, status, printed = fetch(root)

    assert (code, status) == (3, {"web": "failed"})
    assert "leads out of the archive" in printed
    assert not list(tmp_path.rglob("evil"))
    assert not (root / LOCK).exists()


def test_garbage_from_a_server_is_a_failure_with_its_place(root: Path, charts: Server) -> None:
    garbage = [
        b"", b"<html>", b"entries: [", b"[1]", b"\xff\xfe\x00", b"[" * 100_000,
        b"entries: {web: [{version: 1}, 3, {urls: []}]}",
        b"entries: {web: [{version: 1.0.0, urls: ['http://[::1']}]}",
        b"entries: {web: [{version: 1.0.0, urls: ['file:///etc/passwd']}]}",
        b"entries: {web: [{version: 1.0.0, urls: ['oci://x']}]}",
    ]  # fmt: skip
    for number, content in enumerate(garbage):
        charts.files[f"/{number}/index.yaml"] = content
        source = f"{{repoURL: '{charts.url}/{number}', chart: web, targetRevision: 1.x}}"
        write(root, {f"{number}.yaml": application(f"a{number}", source)})

    code, _, printed = fetch(root)

    rows = json.loads(printed)["references"]
    assert (code, [row["status"] for row in rows]) == (3, ["failed"] * len(garbage))
    assert [row["file"] for row in rows] == [f"{number}.yaml" for number in range(len(garbage))]


def test_two_runs_at_once_both_end_well(root: Path, charts: Server) -> None:
    versions = {f"c{n}": {"1.0.0": chart(f"c{n}", "1.0.0")} for n in range(8)}
    charts.serve(versions)
    write(root, {f"{name}.yaml": app(charts, name=name) for name in versions})

    running = [start(root) for _ in range(2)]
    printed = [one.communicate(timeout=180) for one in running]

    assert [one.returncode for one in running] == [0, 0], printed
    assert fetch(root)[:2] == (0, dict.fromkeys(versions, "kept"))


def test_a_run_that_is_killed_leaves_nothing_half(root: Path, charts: Server, tmp_path: Path) -> None:
    content = chart("web", "1.0.0")
    charts.serve({"web": {"1.0.0": content}})
    halfway = threading.Event()

    def half(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:100])
        handler.wfile.flush()
        halfway.set()
        time.sleep(5)

    charts.files["/charts/web-1.0.0.tgz"] = half
    write(root, {"web.yaml": app(charts)})
    running = start(root)
    assert halfway.wait(30)
    time.sleep(0.2)
    running.send_signal(signal.SIGKILL)
    running.communicate()

    assert not (root / LOCK).exists()
    assert [name for name in files_in(tmp_path / "cache") if "incoming" not in name] == []
    charts.serve({"web": {"1.0.0": content}})
    assert fetch(root)[:2] == (0, {"web": "fetched"})


def test_helms_own_credentials_are_used_for_that_repository_only_and_never_shown(
    root: Path, charts: Server, tmp_path: Path
) -> None:
    charts.serve({"web": {"1.0.0": chart("web", "1.0.0")}})
    repositories = tmp_path / "home/.config/helm/repositories.yaml"
    write(
        repositories.parent,
        {
            repositories.name: f"repositories:\n- {{name: x, url: {charts.url}, username: bot, password: s3cret}}\n"
        },
    )
    with_password = charts.url.replace("http://", "http://bot:0therS3cret@") + "/own"
    charts.files |= {f"/own{path}": content for path, content in charts.files.items()}
    write(
        root,
        {
            "web.yaml": app(charts),
            "own.yaml": app(charts).replace(charts.url, with_password).replace("web,", "own,", 1),
        },
    )

    code, _, printed = fetch(root)

    assert code == 0, printed
    assert {authorization for _, authorization in charts.asked} == {
        "Basic Ym90OnMzY3JldA==",
        "Basic Ym90OjB0aGVyUzNjcmV0",
    }
    everywhere = printed + (root / LOCK).read_text() + "".join(files_in(tmp_path / "cache"))
    assert "s3cret" not in everywhere.lower()


def test_a_redirect_takes_no_credentials_to_another_host(root: Path, charts: Server, tmp_path: Path) -> None:
    with serving() as elsewhere:
        elsewhere.serve({"web": {"1.0.0": chart("web", "1.0.0")}})
        for path in elsewhere.files:
            charts.files[path] = redirect(f"{elsewhere.url}{path}")
        repositories = tmp_path / "home/.config/helm/repositories.yaml"
        login = f"repositories:\n- {{name: x, url: {charts.url}, username: bot, password: s3cret}}\n"
        write(repositories.parent, {repositories.name: login})
        write(root, {"web.yaml": app(charts)})

        code, status, printed = fetch(root)

        assert (code, status) == (0, {"web": "fetched"}), printed
        assert {authorization for _, authorization in charts.asked} == {"Basic Ym90OnMzY3JldA=="}
        assert [authorization for _, authorization in elsewhere.asked] == ["", ""]
        assert elsewhere.host not in (root / LOCK).read_text()


def test_redirects_without_end_are_a_failure(root: Path, charts: Server) -> None:
    charts.files["/index.yaml"] = redirect(f"{charts.url}/index.yaml")
    write(root, {"web.yaml": app(charts)})
    code, status, printed = fetch(root)
    assert (code, status) == (3, {"web": "failed"})
    assert len(charts.asked) < 10, printed


def test_what_nobody_names_any_more_leaves_the_lock(root: Path, charts: Server) -> None:
    charts.serve({"web": {"1.0.0": chart("web", "1.0.0")}, "db": {"1.0.0": chart("db", "1.0.0")}})
    write(root, {"web.yaml": app(charts), "db.yaml": app(charts, name="db")})
    fetch(root)
    (root / "db.yaml").unlink()

    assert fetch(root)[:2] == (0, {"web": "kept"})
    assert b"db" not in (root / LOCK).read_bytes()


def test_text_names_place_and_reason_and_says_to_commit_the_lock(root: Path, charts: Server) -> None:
    charts.serve({"web": {"1.0.0": chart("web", "1.0.0")}})
    write(root, {"web.yaml": app(charts), "db.yaml": app(charts, name="db")})
    running = start(root)
    out, _ = running.communicate(timeout=180)
    assert running.returncode == 3
    lines = out.splitlines()
    assert lines[0] == f"failed   helm-chart db of {charts.url} (version 1.x)"
    assert lines[1].strip().startswith("db.yaml:6:")
    assert lines[1].endswith(f"{charts.url} has no chart db")
    assert lines[2] == f"fetched  helm-chart web of {charts.url} (version 1.x) → 1.0.0"
    assert lines[3] == "2 references: 1 failed, 1 fetched"
    assert lines[4].startswith("  help: mend what the lines above name, or list it under `external:`")
    assert lines[5:] == [f"wrote {LOCK}: commit it"]


def test_a_chart_or_version_that_is_not_there_is_told_what_is(root: Path, charts: Server) -> None:
    charts.serve(
        {"web": {version: chart("web", version) for version in ("1.0.0", "1.2.0", "1.10.0", "0.9.0")}}
    )
    write(root, {"wbe.yaml": app(charts, name="wbe"), "web.yaml": app(charts, version="2.x")})
    out = start(root).communicate(timeout=180)[0]
    assert 'has no chart wbe (did you mean "web"?)' in out
    assert f"{charts.url} has 4 versions, such as 1.10.0, 1.2.0, 1.0.0, and none is 2.x" in out


def test_a_dependency_of_a_chart_in_the_repository_is_wanted_too(root: Path, charts: Server) -> None:
    charts.serve({"db": {"1.0.0": chart("db", "1.0.0")}})
    definition = "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n"
    definition += f"- {{name: db, version: '>=1.0.0', repository: '{charts.url}'}}\n"
    local = "{repoURL: 'https://git.example.test/acme/fleet', path: charts/web}"
    write(
        root,
        {
            "apps/web.yaml": application("web", local),
            "charts/web/Chart.yaml": definition,
            "charts/web/templates/a.yaml": "",
        },
    )

    code, status, printed = fetch(root)

    assert (code, status) == (0, {"db": "fetched"}), printed
    row = json.loads(printed)["references"][0]
    assert (row["file"], row["line"]) == ("charts/web/Chart.yaml", 5)


def test_what_the_config_declares_external_is_left_alone(root: Path, charts: Server) -> None:
    config = "external:\n- {chart: 'w*', reason: only the cluster may read it}\n"
    write(root, {"web.yaml": app(charts), ".gitops-layout.yaml": config})

    code, status, printed = fetch(root)

    assert (code, status) == (0, {"web": "external"})
    assert "only the cluster may read it" in printed
    assert charts.asked == []


def test_a_bucket_is_no_place_to_fetch_from(root: Path) -> None:
    head = "metadata: {name: x, namespace: a}"
    pulled = "sourceRef: {kind: Bucket, name: x}"
    write(
        root,
        {
            "bucket.yaml": f"""\
apiVersion: source.toolkit.fluxcd.io/v1
kind: Bucket
{head}
spec: {{endpoint: s3.example.com, bucketName: b, interval: 1m}}
""",
            "apps.yaml": f"""\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
{head}
spec: {{path: ./x, prune: true, interval: 1m, {pulled}}}
""",
            "web.yaml": f"""\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
{head}
spec: {{interval: 1m, chart: {{spec: {{chart: x, {pulled}}}}}}}
""",
        },
    )
    assert fetch(root, "--check")[:2] == (0, {})
