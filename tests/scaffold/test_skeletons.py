"""An app's source out of a team's own template: pinned, written once, and nothing of it runs unless it is trusted."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitops_layout.errors import UserError
from gitops_layout.scaffold import skeletons
from gitops_layout.scaffold.skeleton_process import SkeletonError, draw
from gitops_layout.spec import load
from tests.fetch.support import Git, free_port, process
from tests.scaffold.command import run

URL = "https://git.example.test/skeleton"
TOP = "{{cookiecutter.slug}}"
HOOK = "import pathlib\npathlib.Path('hook-ran').write_text('yes')\n"
COOKIECUTTER = {
    "cookiecutter.json": json.dumps(
        {
            "name": "My App",
            "slug": "{{ cookiecutter.name.lower().replace(' ', '-') }}",
            "license": ["Apache-2.0", "MIT"],
            "docker": True,
            "sizes": {"small": "{{ cookiecutter.slug }}-s"},
            "_copy_without_render": ["raw/*"],
            "__year": "{{ 2000 + 26 }}",
        }
    ),
    f"{TOP}/README.md": "# {{ cookiecutter.name }} ({{ cookiecutter.__year }})\n{{ cookiecutter.sizes | jsonify }}\n",
    f"{TOP}/{{{{cookiecutter.license}}}}.txt": "{{ cookiecutter.sizes.small }}\r\nof {{ cookiecutter.name | slugify }}\r\n",
    f"{TOP}/raw/as-it-is.txt": "{{ kept }}\n",
    f"{TOP}/run.sh": "#!/bin/sh\n{% if cookiecutter.docker %}docker{% endif %}\n",
    "hooks/post_gen_project.py": HOOK,
}
COPIER = {
    "copier.yml": "name: {type: str, default: My App}\n_tasks: ['touch hook-ran']\n",
    "{{ _copier_conf.answers_file }}.jinja": "{{ _copier_answers | to_nice_yaml }}",
    "README.md.jinja": "# {{ name }}\n",
    "run.sh": "#!/bin/sh\n",
}


def _write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
        (folder / name).chmod(0o755 if name.endswith(".sh") else 0o644)
    return folder


@dataclass
class Place:
    """A repository of layout monorepo, and a template that is published under URL."""

    root: Path
    template: Git

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(self.root, *arguments)

    def publish(self, files: Mapping[str, str], tag: str = "v1") -> str:
        """The commit of these files, tagged."""
        _write(self.template.folder, files)
        commit = self.template.commit({})
        self.template.git("tag", tag)
        return commit

    def add(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Everything it takes to start an app from the template."""
        added = self.run("add", "app", "web", "--skeleton", f"{URL}@v1", *arguments)
        assert (added.returncode, "missing: gitops.yaml:" in added.stdout) == (3, True), (
            added.stdout + added.stderr
        )
        fetched = self.run("fetch")
        assert fetched.returncode == 0, fetched.stdout + fetched.stderr
        return self.run("scaffold")

    def source(self, app: str = "web") -> dict[str, str]:
        top = self.root / "src" / app
        return {
            path.relative_to(top).as_posix(): path.read_bytes().decode()
            for path in top.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    port, base = free_port(), tmp_path / "served"
    repository = Git(base / "skeleton", f"git://127.0.0.1:{port}/skeleton")
    home = tmp_path / "home"
    home.mkdir()
    # The spec takes https and ssh only; git itself sends this one to loopback.
    instead = f'[url "git://127.0.0.1:{port}/"]\n\tinsteadOf = https://git.example.test/\n'
    (home / ".gitconfig").write_text(instead)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GITOPS_LAYOUT_CACHE", str(tmp_path / "cache"))
    done = run(
        tmp_path, "init", "shop", "--layout", "monorepo", "--repo-url", "https://a.example/b", "--defaults"
    )
    assert done.returncode == 0, done.stderr
    command = ["git", "daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1"]
    with process([*command, f"--port={port}", f"--base-path={base}"], port):
        yield Place(tmp_path / "shop", repository)


def test_an_app_starts_from_a_template_once_and_is_the_teams_from_then_on(place: Place) -> None:
    commit = place.publish(COOKIECUTTER)
    done = place.add("--answer", "name=Web Shop", "--answer", "license=MIT")
    assert done.returncode == 0, done.stderr
    assert "its hooks were not run" in done.stdout
    source = place.source()
    assert set(source) == {"README.md", "MIT.txt", "raw/as-it-is.txt", "run.sh"}
    assert source["README.md"].startswith("# Web Shop (2026)\n")
    assert source["MIT.txt"] == "web-shop-s\r\nof web-shop\r\n"
    assert os.access(place.root / "src/web/run.sh", os.X_OK)
    assert f"web: {commit}" in (place.root / ".gitops-layout/lock.yaml").read_text()

    again = place.run("scaffold", "--plan", "--exit-code")
    assert (again.returncode, again.stdout) == (0, "nothing to do: the tree is as gitops.yaml says\n")
    (place.root / "src/web/MIT.txt").unlink()
    (place.root / "src/web/README.md").write_text("ours\n")
    assert place.run("add", "app", "api").returncode == 0
    assert place.source() == {**{k: v for k, v in source.items() if k != "MIT.txt"}, "README.md": "ours\n"}

    renamed = place.run("rename", "app", "web", "site")
    assert renamed.returncode == 0, renamed.stdout + renamed.stderr
    assert place.source("site")["README.md"] == "ours\n"
    assert place.source() == {}
    assert place.run("scaffold", "--plan", "--exit-code").returncode == 0


def test_in_layout_split_the_repository_beside_this_one_starts_from_it_once(
    place: Place, tmp_path: Path
) -> None:
    commit = place.publish(COOKIECUTTER)
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "apiVersion: gitops-layout/v1alpha1\nkind: GitOpsRepo\nmetadata: {name: a}\n"
        "spec:\n  layout: split\n  agent: flux\n  repo: {url: https://github.com/acme/c}\n"
        "  environments: [{name: dev}]\n"
        f"  apps: [{{name: web, skeleton: {{url: {URL}, revision: v1, answers: {{name: Web Shop}}}}}}]\n"
    )
    made = run(tmp_path, "init", "pair", "--spec", str(spec), "--format", "json")
    config, app = tmp_path / "pair/config", tmp_path / "pair/app"
    assert (made.returncode, made.stderr.startswith("incomplete: ")) == (3, True), made.stderr
    created = {item["path"] for item in json.loads(made.stdout)["actions"]}
    assert {"gitops.yaml", "pair/app/.github/workflows/release.yaml"} <= created
    assert [path.name for path in app.iterdir()] == [".github"]

    assert run(config, "fetch").returncode == 0
    unasked = run(config, "scaffold")  # never outside the repository unless somebody says where
    assert (unasked.returncode, "scaffold --app ../app" in unasked.stdout) == (3, True), unasked.stdout
    assert [path.name for path in app.iterdir()] == [".github"]
    (app / "run.sh").write_text("ours\n")
    plan = run(config, "scaffold", "--app", "../app", "--plan")
    assert "          ../app/\n" in plan.stdout
    assert "create      README.md\n" in plan.stdout
    done = run(config, "scaffold", "--app", "../app")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (app / "README.md").read_text().startswith("# Web Shop (2026)\n")
    assert (app / "run.sh").read_text() == "ours\n"
    assert f"web: {commit}" in (config / ".gitops-layout/lock.yaml").read_text()
    assert not (app / ".gitops-layout").exists()

    (app / "README.md").unlink()
    again = run(config, "scaffold", "--app", "../app", "--exit-code")
    assert (again.returncode, (app / "README.md").exists()) == (0, False), again.stdout
    inside = run(config, "scaffold", "--app", "app")
    assert (inside.returncode, "not beside this repository" in inside.stderr) == (2, True)


def test_hooks_run_only_where_they_are_trusted(place: Place) -> None:
    place.publish(COOKIECUTTER)
    first = place.run("add", "app", "web", "--skeleton", f"{URL}@v1", "--plan")
    assert first.returncode == 3
    place.run("add", "app", "web", "--skeleton", f"{URL}@v1")
    assert place.run("fetch").returncode == 0
    done = place.run("scaffold", "--trust-hooks")
    assert done.returncode == 0, done.stderr
    assert place.source()["hook-ran"] == "yes"


def test_copier_draws_its_own_templates_without_their_tasks(place: Place) -> None:
    place.publish(COPIER)
    done = place.add("--answer", "name=Shop")
    assert done.returncode == 0, done.stderr
    assert "its tasks were not run" in done.stdout
    source = place.source()
    assert source["README.md"] == "# Shop\n"
    assert set(source) == {"README.md", "run.sh", ".copier-answers.yml"}
    assert f"_commit: v1\n_src_path: {URL}\n" in source[".copier-answers.yml"]


def test_a_template_may_lie_in_a_folder_of_its_repository(place: Place) -> None:
    place.publish({f"templates/web/{name}": text for name, text in COPIER.items()})
    done = place.add("--skeleton-directory", "templates/web/", "--answer", "name=Shop")
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.source()["README.md"] == "# Shop\n"


@pytest.mark.parametrize("template", [COOKIECUTTER, COPIER])
def test_an_answer_that_nobody_asked_for_is_named_with_its_line(
    place: Place, template: Mapping[str, str]
) -> None:
    place.publish(template)
    done = place.add("--answer", "nmae=x")
    assert done.returncode == 2
    said = re.match(
        r"error: gitops\.yaml:(\d+):\d+: the skeleton of app web .* does not ask for nmae, only for name.*, "
        r"did you mean name\?",
        done.stderr,
    )
    assert said, done.stderr
    assert "nmae" in (place.root / "gitops.yaml").read_text().splitlines()[int(said[1]) - 1]
    assert place.source() == {}


def test_questions_of_other_files_are_not_known_here(tmp_path: Path) -> None:
    files = {
        **COPIER,
        "copier.yml": "!include more.yml\n---\nname: {type: str, default: My App}\n",
        "more.yml": "x: 1\n",
    }
    folder = _write(tmp_path / "template", files)
    assert draw(folder, {"x": 2}, trusted=False).files["README.md"][0] == b"# My App\n"


def test_the_real_cookiecutter_makes_the_same_of_the_same_template(tmp_path: Path) -> None:
    folder = _write(
        tmp_path / "template", {k: v for k, v in COOKIECUTTER.items() if not k.startswith("hooks")}
    )
    answers = {"name": "Web Shop", "docker": False}
    ours = draw(folder, answers, trusted=False)
    theirs = draw(folder, answers, trusted=True)
    assert ours.files == theirs.files
    assert ours.notes == theirs.notes == ()


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({f"{TOP}/a": "{{ ''.__class__.__mro__[1].__subclasses__() }}"}, "unsafe|no element|undefined"),
        ({f"{TOP}/a": "{{ cycler.__init__.__globals__.os.popen('touch ran').read() }}"}, "unsafe|undefined"),
        ({f"{TOP}/{{{{cookiecutter.out}}}}/a": "x"}, "no place inside"),
        ({f"{TOP}/{{{{'.git'}}}}/config": "x"}, "no place inside"),
        ({f"{TOP}/a": "{% include '../secret' %}"}, "secret"),
        ({f"{TOP}/a": "{{ 'a' * 10 ** 11 }}"}, "Memory"),
    ],
)
def test_a_hostile_template_is_refused(tmp_path: Path, files: Mapping[str, str], reason: str) -> None:
    folder = _write(
        tmp_path / "template",
        {"cookiecutter.json": '{"slug": "x", "out": "../../out", "_extensions": []}', "secret": "s", **files},
    )
    with pytest.raises((SkeletonError, UserError), match=reason):
        _in_a_process(folder)
    assert {path.name for path in tmp_path.iterdir()} == {"template"}


def test_extensions_are_code_and_refused(tmp_path: Path) -> None:
    folder = _write(
        tmp_path, {"cookiecutter.json": '{"slug": "x", "_extensions": ["os.system"]}', f"{TOP}/a": "a"}
    )
    with pytest.raises(
        SkeletonError, match=r"brings code into Jinja \(os\.system\): only with --trust-hooks"
    ):
        draw(folder, {}, trusted=False)


def test_a_template_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skeletons, "_SECONDS", 3)
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    folder = _write(tmp_path, {"cookiecutter.json": '{"slug": "x"}', f"{TOP}/a": loop})
    with pytest.raises(UserError, match="not done within 3 s"):
        _in_a_process(folder)


def _in_a_process(folder: Path) -> None:
    text = (
        "apiVersion: gitops-layout/v1alpha1\nkind: GitOpsRepo\nmetadata: {name: a}\n"
        "spec:\n  layout: monorepo\n  agent: flux\n  repo: {url: https://a.example/b}\n"
        "  environments: [{name: dev}]\n"
        f"  apps: [{{name: web, skeleton: {{url: {URL}, revision: v1}}}}]\n"
    )
    [app] = load(text).apps
    skeletons._draw(folder, app, version="v1", trusted=False)


def test_only_a_monorepo_has_source_for_a_skeleton_to_start() -> None:
    text = (
        "apiVersion: gitops-layout/v1alpha1\nkind: GitOpsRepo\nmetadata: {name: a}\n"
        "spec:\n  agent: flux\n  repo: {url: https://a.example/b}\n  environments: [{name: dev}]\n"
        f"  apps: [{{name: web, skeleton: {{url: {URL}, revision: ../v1}}}}]\n"
    )
    with pytest.raises(UserError, match=r"gitops\.yaml:8:\d+: .*tag"):
        load(text)
    with pytest.raises(UserError, match="layout monorepo has src/"):
        load(text.replace("../v1", "v1"))
    second = text.replace("../v1", "v1").replace("apps: [", "layout: split\n  apps: [{name: one}, ")
    with pytest.raises(UserError, match="only that of the first app"):
        load(second)
