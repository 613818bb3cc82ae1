"""Whatever names, files, disks, signals and other runs do to the changing verbs: one message, and a whole tree."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitops_layout.cli import _run
from gitops_layout.errors import UserError
from gitops_layout.scaffold import converge, writing
from gitops_layout.spec import load
from gitops_layout.system import exclusive
from tests.scaffold.command import run

SPEC = """\
apiVersion: gitops-layout/v1alpha1
kind: GitOpsRepo
metadata: {name: acme}
spec:
  agent: flux
  repo: {url: https://github.com/acme/platform.git}
  environments:
    - name: dev
    - name: prod
      from: dev
  apps:
    - name: web
      image: ghcr.io/acme/web:1.4.0
  features: {ci: none}
"""
OVERLAY = "apps/web/envs/dev/kustomization.yaml"
VERSION = "apps/web/envs/dev/version/kustomization.yaml"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small repository that people have worked in: an edited overlay, a file of their own, a newer version."""
    root = tmp_path_factory.mktemp("made") / "root"
    spec = root.parent / "spec.yaml"
    spec.write_text(SPEC)
    assert run(root.parent, "init", "root", "--spec", "spec.yaml").returncode == 0
    overlay = root / OVERLAY
    overlay.write_text(overlay.read_text().replace("includeTemplates: true", "includeTemplates: false"))
    (root / "apps/web/envs/dev/notes.txt").write_text("ours\n")
    version = root / VERSION
    version.write_text(version.read_text().replace("1.4.0", "1.5.0"))
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "root"))


def _tree(root: Path) -> dict[str, bytes | None]:
    """Every file and folder: nothing may be left over, not even an empty folder."""
    if not root.exists():
        return {}
    return {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else None
        for path in root.rglob("*")
    }


def _call(folder: Path, *arguments: str) -> tuple[int, str]:
    """The command line in this process: exit code, and what it says."""
    said = io.StringIO()
    before, argv = Path.cwd(), sys.argv
    os.chdir(folder)
    sys.argv = ["gitops-layout", *arguments]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = _run()
    finally:
        os.chdir(before)
        sys.argv = argv
    return code, said.getvalue()


LONG = "a" * 300
HOSTILE = {
    "../x": "is not a DNS label",
    "/etc/passwd": "is not a DNS label",
    "a/b": "is not a DNS label",
    "a\\b": "is not a DNS label",
    ".git": "is not a DNS label",
    "-rf": "is not a DNS label",
    "{{ 7*7 }}": "is not a DNS label",
    "[[ x ]]": "is not a DNS label",
    "${x}": "is not a DNS label",
    "{% raw %}": "is not a DNS label",
    "x\n  evil: 1": "is not a DNS label",
    "x: y": "is not a DNS label",
    "Web": "is not a DNS label",
    "": "is not a DNS label",
    "con": "a device on Windows",
    "lpt1": "a device on Windows",
    "null": "means something else than a name",
    "w\u0435b": "cyrillic small letter ie",
    "we\u200bb": "zero width space",
    LONG: "at most 63 characters",
}


ADDING = {"app": (), "cluster": ("--environments", "dev"), "env": ()}


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:12]))
def test_a_hostile_name_is_refused_at_its_place_and_nothing_is_written(made: Path, name: str) -> None:
    before = _tree(made)
    for kind, options in ADDING.items():
        code, said = _call(made, "add", kind, *options, "--", name)
        assert (code, HOSTILE[name] in said) == (2, True), said
        assert said.startswith("error: gitops.yaml (as it would be):")
        assert said.count("as it would be") == 1
        assert len(said) < 600
    code, said = _call(made, "rename", "app", "--", "web", name)
    assert (code, HOSTILE[name] in said) == (2, True), said
    assert _tree(made) == before


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("repo.url=ssh://-oProxyCommand=touch/x", "taken for an option"),
        ("repo.url=https://me:hunter2@example.com/a/b.git", "holds a password"),
        ("repo.branch=a..b", "not a branch name"),
        ("repo.branch=a/.hidden", "not a branch name"),
        ("repo.branch=-d", "is not a branch name"),
        ("clusters=[{name: a, environments: [dev], context: '$(id)'}]", "kubeconfig's context"),
        ("environments=[]", "at least 1"),
        ("environments=[{name: a, from: b}, {name: b, from: a}]", "promote in a circle: a from b from a"),
        ("apps=[{name: a, environments: [nowhere]}]", "names environment nowhere, which does not exist"),
        ("apps=[{name: a}, {name: a}]", "app a is already "),
        ("metadata.name='{{ x }}'", "is not a DNS label"),
    ],
)
def test_an_impossible_spec_is_refused_and_nothing_is_made(tmp_path: Path, setting: str, words: str) -> None:
    code, said = _call(tmp_path, "init", "new", "--defaults", "--env", "dev", "--set", setting)
    assert (code, words in said) == (2, True), said
    assert "hunter2" not in said
    assert _tree(tmp_path) == {}


@pytest.mark.parametrize(
    "name", ["-rf", "{{ x }}", "con", "[[ x ]]", "w\u0435b", "a b;touch x", "x" * 200], ids=ascii
)
def test_a_folder_of_any_name_holds_a_repository(tmp_path: Path, name: str) -> None:
    code, said = _call(tmp_path, "init", "--defaults", "--env", "dev", "--", name)
    assert code == 0, said
    assert load((tmp_path / name / "gitops.yaml").read_bytes())
    assert [path.name for path in tmp_path.iterdir()] == [name]
    code, said = _call(tmp_path / name, "scaffold", "--plan", "--exit-code")
    assert code == 0, said


VERBS: dict[str, tuple[str, ...]] = {
    "add": ("add", "app", "api"),
    "env": ("add", "env", "qa", "--cluster", "dev"),
    "remove": ("remove", "app", "web", "--prune"),
    "rename": ("rename", "app", "web", "shop"),
    "promote": ("promote", "web", "--to", "prod"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_is_written_through_a_link(root: Path, tmp_path: Path, verb: str) -> None:
    outside = tmp_path / "outside"
    shutil.move(root / "apps", outside)
    (root / "apps").symlink_to(outside)
    before = _tree(root), _tree(outside)
    code, said = _call(root, *VERBS[verb])
    assert code in (2, 3)
    assert "symbolic link" in said or "holds nothing to promote" in said or "names no version" in said
    assert (_tree(root), _tree(outside)) == before


@pytest.mark.parametrize("verb", VERBS)
def test_a_spec_that_is_a_link_is_not_followed(root: Path, tmp_path: Path, verb: str) -> None:
    (root / "gitops.yaml").rename(tmp_path / "outside.yaml")
    (root / "gitops.yaml").symlink_to(tmp_path / "outside.yaml")
    code, said = _call(root, *VERBS[verb])
    assert (code, "gitops.yaml is a symbolic link" in said) == (3, True)
    assert (tmp_path / "outside.yaml").read_text() == SPEC


@pytest.mark.parametrize("pending", ["link", "file"])
def test_what_is_pending_is_a_folder_of_ours(root: Path, tmp_path: Path, pending: str) -> None:
    (tmp_path / "outside").mkdir()
    place = root / writing.PENDING
    place.symlink_to(tmp_path / "outside") if pending == "link" else place.write_text("")
    code, said = _call(root, *VERBS["add"])
    assert (code, "pending is" in said) == (3, True), said
    assert list((tmp_path / "outside").iterdir()) == []


def test_foreign_files_in_the_way_are_named_and_left_alone(root: Path) -> None:
    (root / "apps/api").write_text("a file\n")
    (root / "apps/web/envs/prod/local.yaml").unlink()
    before = _tree(root)
    code, said = _call(root, "add", "app", "api")
    assert (code, "apps/api is not a folder" in said) == (3, True)
    (root / "apps/api").unlink()
    target = root / "apps/api/envs/dev/kustomization.yaml"
    target.mkdir(parents=True)
    code, said = _call(root, "add", "app", "api")
    assert (code, f"{target.relative_to(root)} is not a file" in said) == (3, True)
    target.rmdir()
    target.write_text("resources: [mine.yaml]\n")
    code, said = _call(root, "add", "app", "api")
    assert code == 3
    assert "apps/api/envs/dev/kustomization.yaml" in said
    assert "nothing written" in said
    assert target.read_text() == "resources: [mine.yaml]\n"
    shutil.rmtree(root / "apps/api")
    (root / "apps/api").write_text("a file\n")
    assert _tree(root) == before


@pytest.mark.parametrize("verb", VERBS)
def test_a_full_disk_leaves_the_tree_as_it_was(root: Path, verb: str) -> None:
    before = _tree(root)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150, limit[1]))  # bytes a file
    try:
        code, said = _call(root, *VERBS[verb])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert code == 3, said
    assert "nothing written: " in said
    assert "File too large\n  help: make room" in said
    assert _tree(root) == before


# Root may write anywhere: without this capability it is like anybody else.
_LIKE_ANYBODY = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


@pytest.mark.skipif(bool(_LIKE_ANYBODY) and shutil.which("setpriv") is None, reason="root, and no setpriv")
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("folder", [".", "apps/web/envs/prod/version", "apps/web"])
def test_a_folder_that_may_not_be_written_leaves_the_tree_as_it_was(
    root: Path, verb: str, folder: str
) -> None:
    before = _tree(root)
    command = [*_LIKE_ANYBODY, sys.executable, "-m", "gitops_layout", *VERBS[verb]]
    for path in (root / folder).rglob("*") if folder == "." else ():
        path.chmod(path.stat().st_mode & ~0o222)
    (root / folder).chmod(0o555)
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    for path in (root, *root.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    if done.returncode == 0:  # it had nothing to do there
        assert folder != "."
        assert folder not in {str(Path(path).parent) for path in _changed(before, _tree(root))}
        return
    assert done.returncode == 3, done.stderr
    assert "nothing written: " in done.stderr
    assert "Permission denied\n  help: run it where you may write" in done.stderr
    assert _tree(root) == before


def _changed(before: dict[str, bytes | None], after: dict[str, bytes | None]) -> set[str]:
    return {path for path in {*before, *after} if before.get(path, 0) != after.get(path, 0)}


_WRITES = {
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.chmod",
    "os.link",
    "os.symlink",
    "os.truncate",
}


def _killed(folder: Path, at: int, arguments: tuple[str, ...]) -> bool:
    """Run the command line in a process that gets a SIGKILL right before its `at`th write; whether it came to that."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            seen = 0

            def hook(event: str, given: tuple[object, ...]) -> None:
                nonlocal seen
                writes = event in _WRITES
                if event == "open":
                    flags = given[2]
                    writes = isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
                if writes and str(folder) in str(Path.cwd() / str(given[0])):
                    seen += 1
                    if seen == at:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(hook)
            os._exit(_call(folder, *arguments)[0])
        os._exit(99)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def _cut_at_every_write(
    fresh: Callable[[], Path], arguments: tuple[str, ...], again: tuple[str, ...]
) -> Iterator[tuple[dict[str, bytes | None], Path]]:
    """Each tree that is there after a kill at one write and another run, and its root."""
    at = 1
    while True:
        root = fresh()
        if not _killed(root, at, arguments):
            return
        _, said = _call(root, *again)
        assert "internal error" not in said, said
        yield _tree(root), root
        at += 1


@pytest.mark.parametrize("verb", ["add", "remove", "rename", "promote", "scaffold"])
def test_a_kill_at_any_write_leaves_the_old_tree_or_the_new_one_after_the_next_run(
    made: Path, tmp_path: Path, verb: str
) -> None:
    arguments = VERBS.get(verb, ("scaffold",))
    count = 0

    def fresh() -> Path:
        nonlocal count
        count += 1
        root = Path(shutil.copytree(made, tmp_path / str(count)))
        if verb == "scaffold":
            spec = root / "gitops.yaml"
            spec.write_text(spec.read_text().replace("name: web", "name: web\n      port: 4000"))
        return root

    old = _tree(fresh())
    whole = fresh()
    assert _call(whole, *arguments)[0] == 0
    new = _tree(whole)
    assert old != new
    seen = []
    # `scaffold` again after the others: nobody need remember what was interrupted.
    for tree, root in _cut_at_every_write(fresh, arguments, ("scaffold",)):
        if verb == "scaffold":
            assert tree == new
        else:
            assert tree in (old, new), _changed(tree, old if len(tree) == len(old) else new)
        seen.append(tree == new)
        shutil.rmtree(root)
    assert len(seen) > 5
    assert seen == sorted(seen)  # once decided, always done
    assert True in seen


def test_a_killed_init_of_two_repositories_can_be_run_again(tmp_path: Path) -> None:
    arguments = ("init", ".", "--layout", "split", "--defaults", "--env", "dev", "--set", "features.ci=none")
    count = 0

    def fresh() -> Path:
        nonlocal count
        count += 1
        (tmp_path / str(count) / "shop").mkdir(parents=True)
        return tmp_path / str(count) / "shop"

    whole = fresh()
    assert _call(whole, *arguments)[0] == 0
    cuts = 0
    for tree, root in _cut_at_every_write(fresh, arguments, arguments):
        cuts += 1
        assert tree == _tree(whole)
        shutil.rmtree(root)
    assert cuts > 10


def test_an_interrupted_run_is_not_finished_over_what_changed_since(root: Path) -> None:
    at = 1
    while not (root / writing.PENDING / "steps.json").exists():
        assert _killed(root, at, VERBS["rename"])
        at += 1
    (root / "gitops.yaml").write_text(SPEC + "# changed\n")
    (root / "apps/web/base/service.yaml").write_text("changed: since\n")
    before = _tree(root)
    for arguments in (("scaffold",), VERBS["add"]):
        code, said = _call(root, *arguments)
        assert (code, "has changed since" in said, f"delete {writing.PENDING}" in said) == (3, True, True)
    code, said = _call(root, "scaffold", "--plan")
    assert (code, "a run was interrupted here" in said) == (3, True)
    assert _tree(root) == before
    shutil.rmtree(root / writing.PENDING)
    assert _call(root, "scaffold")[0] == 0


@pytest.mark.parametrize("path", ["../outside", "/tmp/outside", ".git/hooks/post-checkout", "a/../../x"])
def test_a_pending_list_from_elsewhere_leads_nowhere(root: Path, path: str) -> None:
    folder = root / writing.PENDING
    folder.mkdir()
    (folder / "0").write_text("evil\n")
    (folder / "steps.json").write_text(f'{{"version": 1, "steps": [["{path}", "0", null]]}}')
    before = _tree(root.parent)
    code, said = _call(root, "scaffold")
    assert (code, "is not a path inside the repository" in said) == (3, True)
    assert _tree(root.parent) == before


def test_a_pending_list_that_was_committed_is_refused(root: Path) -> None:
    folder = root / writing.PENDING
    folder.mkdir()
    (folder / "0").write_text("evil\n")
    (folder / "steps.json").write_text('{"version": 1, "steps": [["evil.yaml", "0", null]]}')
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    code, said = _call(root, "scaffold")
    assert (code, "was committed" in said) == (3, True)
    assert not (root / "evil.yaml").exists()


def test_runs_at_once_come_one_after_the_other(root: Path) -> None:
    names = ["one", "two", "three", "four"]
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "gitops_layout", "add", "app", name],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for process in runs:
        _, said = process.communicate()
        assert process.returncode == 0, said
    spec = load((root / "gitops.yaml").read_bytes())
    assert {app.name for app in spec.apps} == {"web", *names}
    assert converge.plan(root, spec).empty


def test_a_run_says_that_it_waits_for_another(root: Path) -> None:
    told: list[str] = []

    def release(text: str) -> None:
        told.append(text)
        stack.close()

    with contextlib.ExitStack() as stack:
        stack.enter_context(exclusive(root, patience=0, say=told.append))
        with writing.changing(root, only_plan=False, say=release):
            pass
    assert told == [f"waiting: another gitops-layout is changing {root}"]


def test_a_run_does_not_wait_forever(root: Path) -> None:
    told: list[str] = []
    with (
        exclusive(root, patience=0, say=told.append),
        pytest.raises(UserError, match="nothing written") as late,
        writing.changing(root, only_plan=False, say=told.append, patience=0),
    ):
        pass
    assert late.value.exit_code == 3
    assert len(told) == 1
