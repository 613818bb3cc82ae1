"""Converging: a second plan is empty, hand edits survive, conflicts show before anything is written."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from gitops_layout import bundle
from gitops_layout.errors import UserError
from gitops_layout.scaffold import converge, lock, render
from gitops_layout.scaffold.plan import Do, Plan
from gitops_layout.spec import parse
from tests.scaffold.specs import APPS, random_data, spec

CLUSTER = "clusters/lab/kustomization.yaml"
OVERLAY = "apps/web/envs/dev/kustomization.yaml"
VERSION = "apps/web/envs/dev/version/kustomization.yaml"
FLUX = "clusters/lab/apps/dev/web.yaml"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository as `init` leaves it: generated, not committed."""
    converge.apply(tmp_path, converge.plan(tmp_path, spec()))
    return tmp_path


def _scaffold(root: Path, agent: str = "flux", /, **changes: Any) -> Plan:
    made = converge.plan(root, spec(agent, **changes))
    converge.apply(root, made)
    return made


def _edit(root: Path, path: str, old: str, new: str) -> None:
    text = (root / path).read_text()
    assert old in text
    (root / path).write_text(text.replace(old, new))


def _done(plan: Plan) -> dict[str, Do]:
    return {action.path: action.do for action in plan.changes}


def _snapshot(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _commit(root: Path) -> None:
    name = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    for command in (["init", "-q"], ["add", "-A"], [*name, "commit", "-qm", "state"]):
        subprocess.run(["git", *command], cwd=root, check=True)


@pytest.fixture
def changed_templates(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once `root` is there: templates of a later version, with another interval."""
    later = tmp_path_factory.mktemp("later")
    shutil.copytree(bundle.root() / "templates", later / "templates")
    changed = [path for path in later.rglob("*.jinja") if "interval: 10m" in path.read_text()]
    assert changed
    for path in changed:
        path.write_text(path.read_text().replace("interval: 10m", "interval: 30m"))
    monkeypatch.setattr(bundle, "root", lambda: later)


@given(random_data())
@settings(max_examples=25, deadline=None)
def test_a_second_plan_is_empty(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]) -> None:
    root = tmp_path_factory.mktemp("repository")
    wanted = parse(data)
    converge.apply(root, converge.plan(root, wanted))
    again = converge.plan(root, wanted)
    assert again.empty
    assert lock.read((root / lock.LOCK).read_bytes()) == again.lock


@given(random_data(), random_data())
@settings(max_examples=20, deadline=None)
def test_what_is_not_rendered_again_would_have_been_the_same(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    old = {
        path: lock.Entry(file.owner, file.blob, file.inputs)
        for path, file in render.render(parse(before)).items()
    }
    quick, whole = render.render(parse(after), old), render.render(parse(after))
    assert {path: file.blob for path, file in quick.items()} == {
        path: file.blob for path, file in whole.items()
    }
    assert {path: file.content for path, file in quick.items()} == {
        path: file.content for path, file in whole.items()
    }


def test_an_app_more_renders_few_files_again() -> None:
    old = {
        path: lock.Entry(file.owner, file.blob, file.inputs) for path, file in render.render(spec()).items()
    }
    now = render.render(spec(apps=[*APPS, {"name": "new"}]), old)
    again = {path for path, file in now.items() if path in old and file.inputs != old[path].inputs}
    assert again == {
        ".github/CODEOWNERS", ".github/branch-protection.json", "AGENTS.md", "README.md", "gitops.yaml", "renovate.json",
        "clusters/eu/kustomization.yaml", "clusters/lab/kustomization.yaml",
    }  # fmt: skip


def test_a_lock_is_read_by_lines_as_by_the_reader(root: Path) -> None:
    text = (root / lock.LOCK).read_bytes()
    quick = lock.read(text)
    assert len(quick.files) > 50
    assert lock.read(text.replace(b"}\n", b" }\n")) == quick  # lines that we would not have written
    for odd in (text + b"  a: {owner: managed, blob: 12}\n", text + b"# merged\n", text[:-1]):
        assert lock.read(odd).files.items() >= quick.files.items()


def test_hand_edits_survive_and_leave_the_plan_empty(root: Path) -> None:
    _edit(root, OVERLAY, "includeTemplates: true", "includeTemplates: false")
    _edit(root, "apps/web/base/service.yaml", "port: 80", "port: 8080")
    _edit(root, VERSION, "1.4.0", "1.5.0")
    (root / "README.md").unlink()
    before = _snapshot(root)
    assert _scaffold(root).empty
    assert _snapshot(root) == before


def test_a_managed_file_deleted_by_hand_comes_back(root: Path) -> None:
    (root / OVERLAY).unlink()
    assert _done(_scaffold(root)) == {OVERLAY: Do.CREATE}


def test_an_untouched_base_follows_gitops_yaml_and_an_edited_one_does_not(root: Path) -> None:
    _edit(root, "apps/web/base/deployment.yaml", "cpu: 50m", "cpu: 100m")
    apps = [{**app, "port": 4000} for app in APPS]
    done = _done(_scaffold(root, apps=apps))
    assert done["apps/api/base/deployment.yaml"] is Do.UPDATE
    assert "apps/web/base/deployment.yaml" not in done
    assert _scaffold(root, apps=apps).empty


def test_newer_templates_leave_the_users_own_files_alone(root: Path, changed_templates: None) -> None:
    changed = bundle.root() / "templates/repository/README.md.jinja"
    changed.write_text("another\n")
    assert "README.md" not in _done(_scaffold(root))
    assert "# acme" in (root / "README.md").read_text()
    assert _scaffold(root).empty


def test_a_file_in_the_place_of_one_that_people_would_own_is_kept_and_named(root: Path) -> None:
    (root / "apps/new/base").mkdir(parents=True)
    (root / "apps/new/base/kustomization.yaml").write_text("resources: []\n")
    made = converge.plan(root, spec(apps=[*APPS, {"name": "new"}]))
    assert [text.partition(" ")[0] for text in made.warnings] == ["apps/new/base/kustomization.yaml"]
    converge.apply(root, made)
    assert (root / "apps/new/base/kustomization.yaml").read_text() == "resources: []\n"
    assert converge.plan(root, spec(apps=[*APPS, {"name": "new"}])).empty


def test_what_two_merged_branches_ask_for_together_is_made(root: Path) -> None:
    """An app of one branch in a cluster of the other: git merges both locks, and neither has that file."""
    file = root / lock.LOCK
    rows = file.read_text().splitlines(keepends=True)
    file.write_text("".join(row for row in rows if not row.startswith(f"  {OVERLAY}:")))
    (root / OVERLAY).unlink()
    assert _done(_scaffold(root)) == {OVERLAY: Do.CREATE}
    assert converge.plan(root, spec()).empty


def test_a_namespace_that_would_be_recreated_is_warned_of(root: Path) -> None:
    made = converge.plan(root, spec(clusters=[{"name": "one", "environments": ["dev", "staging", "prod"]}]))
    assert len(made.warnings) == 3
    assert "namespace web becomes web-prod" in "\n".join(made.warnings)
    assert converge.plan(root, spec(apps=[*APPS, {"name": "new"}])).warnings == ()


def test_a_version_set_by_promotion_is_never_reverted(root: Path) -> None:
    _edit(root, VERSION, "1.4.0", "1.5.0")
    _scaffold(root, apps=[{**APPS[0], "image": "ghcr.io/acme/web:2.0.0"}, *APPS[1:]])
    assert '"1.5.0"' in (root / VERSION).read_text()
    assert '"2.0.0"' in (root / "apps/web/envs/prod/version/kustomization.yaml").read_text()


def test_adding_an_app_keeps_what_the_user_added_to_the_shared_list(root: Path) -> None:
    _edit(root, CLUSTER, "  - apps/dev/web.yaml\n", "  - apps/dev/web.yaml\n  - monitoring # ours\n")
    done = _done(_scaffold(root, apps=[*APPS, {"name": "new"}]))
    assert done[CLUSTER] is Do.MERGE
    resources = yaml.safe_load((root / CLUSTER).read_text())["resources"]
    assert {"monitoring", "apps/dev/new.yaml"} <= set(resources)
    assert "monitoring # ours" in (root / CLUSTER).read_text()
    assert _scaffold(root, apps=[*APPS, {"name": "new"}]).empty


@pytest.mark.usefixtures("changed_templates")
def test_the_merge_base_comes_from_git_when_the_templates_are_newer(root: Path) -> None:
    _commit(root)
    _edit(root, FLUX, "prune: true", "prune: false")
    assert _done(_scaffold(root))[FLUX] is Do.MERGE
    text = (root / FLUX).read_text()
    assert "interval: 30m" in text
    assert "prune: false" in text
    assert _scaffold(root).empty


@pytest.mark.usefixtures("changed_templates")
def test_without_a_merge_base_an_edited_file_is_a_conflict(root: Path) -> None:
    _edit(root, FLUX, "prune: true", "prune: false")
    made = converge.plan(root, spec())
    assert [action.path for action in made.conflicts] == [FLUX]


@pytest.mark.usefixtures("changed_templates")
def test_a_conflict_names_both_values_and_nothing_is_written(root: Path) -> None:
    _commit(root)
    _edit(root, FLUX, "interval: 10m", "interval: 1m")
    before = _snapshot(root)
    made = converge.plan(root, spec())
    (action,) = made.conflicts
    assert [(item.where, item.ours, item.theirs) for item in action.conflicts] == [
        ("spec.interval", '"1m"', '"30m"')
    ]
    with pytest.raises(UserError) as refused:
        converge.apply(root, made)
    assert refused.value.exit_code == 3
    assert _snapshot(root) == before


@pytest.mark.usefixtures("changed_templates")
@pytest.mark.parametrize(("decision", "text"), [("ours", "1m"), ("theirs", "30m")])
def test_a_conflict_can_be_decided(root: Path, decision: Any, text: str) -> None:
    _commit(root)
    _edit(root, FLUX, "interval: 10m", "interval: 1m")
    converge.apply(root, converge.plan(root, spec(), on_conflict=decision))
    assert text in (root / FLUX).read_text()
    assert "30m" in (root / "clusters/eu/apps/prod/web.yaml").read_text()
    assert converge.plan(root, spec()).empty


@pytest.mark.usefixtures("changed_templates")
def test_conflict_markers_are_told_until_they_are_resolved(root: Path) -> None:
    _commit(root)
    _edit(root, FLUX, "interval: 10m", "interval: 1m")
    converge.apply(root, converge.plan(root, spec(), on_conflict="markers"))
    marked = (root / FLUX).read_text()
    assert "<<<<<<< yours" in marked
    for decision in ("fail", "markers", "ours"):
        (left,) = converge.plan(root, spec(), on_conflict=decision).conflicts
        assert (left.path, left.do) == (FLUX, Do.KEEP)
        assert [(item.ours.strip(), item.theirs.strip()) for item in left.conflicts] == [
            ("interval: 1m", "interval: 30m")
        ]
    (root / FLUX).write_text(
        re.sub(r"(?s)<<<<<<< yours\n(.*?)\|{7}.*?>>>>>>> generated now\n", r"\1", marked)
    )
    assert converge.plan(root, spec()).empty


@pytest.mark.usefixtures("changed_templates")
def test_what_is_generated_anew_comes_along_where_ours_is_kept_and_nothing_tells_who_changed_what(
    root: Path,
) -> None:
    _edit(root, CLUSTER, "resources:\n", "resources:\n  - mine.yaml\n")
    _edit(root, FLUX, "  prune: true\n", "")
    converge.apply(root, converge.plan(root, spec(), on_conflict="ours"))
    assert "prune: true" in (root / FLUX).read_text()
    assert "interval: 10m" in (root / FLUX).read_text()


def test_removing_an_app_takes_its_untouched_files_and_asks_about_the_edited(root: Path) -> None:
    _edit(root, VERSION, "1.4.0", "1.5.0")
    _edit(root, OVERLAY, "includeTemplates: true", "includeTemplates: false")
    made = converge.plan(root, spec(apps=APPS[1:]))
    assert [action.path for action in made.conflicts] == [OVERLAY]
    kept = converge.plan(root, spec(apps=APPS[1:]), on_conflict="ours")
    assert OVERLAY not in _done(kept)
    converge.apply(root, converge.plan(root, spec(apps=APPS[1:]), prune=True))
    assert not (root / "apps/web").exists()
    assert "web" not in (root / CLUSTER).read_text()


def test_adding_then_removing_an_app_leaves_no_trace(root: Path) -> None:
    before = _snapshot(root)
    _scaffold(root, apps=[*APPS, {"name": "new"}])
    _scaffold(root)
    assert _snapshot(root) == before


def test_a_repository_rendered_by_copier_is_taken_over_unchanged(tmp_path: Path) -> None:
    for path, file in render.render(spec()).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(file.content)
    before = _snapshot(tmp_path)
    assert _done(_scaffold(tmp_path)) == {}
    assert {path: text for path, text in _snapshot(tmp_path).items() if path != lock.LOCK} == before


def test_owners_the_user_wrote_stay_below_ours(tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github/CODEOWNERS").write_text("/docs/ @acme/docs\n")
    _scaffold(tmp_path)
    text = (tmp_path / ".github/CODEOWNERS").read_text()
    assert text.endswith("# gitops-layout: end\n/docs/ @acme/docs\n")


@pytest.mark.parametrize("link", ["apps", "clusters/lab", OVERLAY, ".gitops-layout"])
def test_nothing_is_written_through_a_link(tmp_path: Path, link: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.mkdir()
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(outside if "." not in Path(link).name[1:] else outside / "file")
    with pytest.raises(UserError, match="symbolic link") as refused:
        converge.apply(root, converge.plan(root, spec()))
    assert refused.value.exit_code == 3
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../b", ".git/config"])
def test_a_lock_that_names_a_path_outside_is_refused(root: Path, path: str) -> None:
    text = (root / lock.LOCK).read_text()
    (root / lock.LOCK).write_text(f"{text}  {path}: {{owner: managed, blob: 0}}\n")
    with pytest.raises(UserError, match="not a path inside"):
        converge.plan(root, spec())


def test_a_lock_reads_back_as_it_was_written() -> None:
    odd = "1234567890e12345678901234567890123456789"
    answers = render.answers(spec(repo={"url": "https://github.com/a/b.git", "branch": "1e3"}))
    files = {"a.yaml": lock.Entry(render.Ownership.ROBOT, odd)}
    made = lock.Lock("config", "sha256:0", "0.1.0", answers, files)
    assert lock.read(lock.dump(made)) == made


@pytest.mark.parametrize("text", ["", "[]", "version: 1\n", "version: 2\n", "version: 1\n<<<<<<< HEAD\n"])
def test_a_broken_lock_is_named(root: Path, text: str) -> None:
    (root / lock.LOCK).write_text(text)
    with pytest.raises(UserError, match=r"\.gitops-layout/lock\.yaml"):
        converge.plan(root, spec())
