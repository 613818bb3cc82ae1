"""After an edit a command says what it says without a cache, byte for byte, whatever was edited; and after one of a value
it works on nothing but what reads the edited file.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_layout.cli import _run, lintagain, remembered
from gitops_layout.render.build import Renders
from gitops_layout.repo import digests

BASE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {app}
spec:
  replicas: 1
  selector:
    matchLabels:
      app: {app}
  template:
    metadata:
      labels:
        app: {app}
    spec:
      serviceAccountName: {app}
      containers:
        - name: main
          image: example.com/{app}:1.0.0  # gitops-layout: ignore[V001] a mirror
          args: ["--secret", made-elsewhere, --level, info]
          env:
            - name: MODE
              value: "on"
            - name: API_TOKEN
              value: from-a-file
          envFrom:
            - secretRef:
                name: lost-elsewhere
            - configMapRef:
                name: {app}
          livenessProbe:
            httpGet:
              path: /
              port: 80
            periodSeconds: 5
          resources:
            requests:
              cpu: 100m
              memory: 64Mi
            limits:
              memory: 128Mi
"""


def tree() -> dict[str, str]:
    """Two applications in three environments, with findings of many rules, and what listens to values elsewhere."""
    files = {
        "README.md": "words\n",
        ".sops.yaml": "creation_rules: [{path_regex: secret}]\n",
        "clusters/dev/more.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: vars, namespace: flux-system}\ndata: {level: info}\n",
        ".github/workflows/ci.yaml": "on: push\njobs: {a: {runs-on: x, steps: [{run: kubectl apply -f apps/web/base}]}}\n",
    }
    for app in ("web", "api"):
        base = f"apps/{app}/base"
        files |= {
            f"{base}/kustomization.yaml": "resources:\n  - deployment.yaml\n  - config.yaml\n  - account.yaml\n# - old.yaml\n",
            f"{base}/deployment.yaml": BASE.format(app=app),
            f"{base}/config.yaml": f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {app}\ndata:\n  LEVEL: info\n  DB_PASSWORD: hunter2hunter2\n  text: |\n    one\n    two\n",
            f"{base}/account.yaml": f"apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {app}\n",
            f"{base}/unused.yaml": f"apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {app}-unused\n",
        }
        for env in ("dev", "staging", "production"):
            folder = f"apps/{app}/overlays/{env}"
            files |= {
                f"{folder}/kustomization.yaml": f"""\
resources:
  - ../../base
namespace: {app}-{env}
images:
  - name: example.com/{app}
    newTag: 1.2.3
replicas:
  - name: {app}
    count: 2
patches:
  - path: patch.yaml
  - path: json.yaml
    target:
      kind: Deployment
  - target: {{kind: StatefulSet}}
    patch: |-
      - {{op: remove, path: /spec/replicas}}
""",
                f"{folder}/patch.yaml": f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {app}
spec:
  template:
    spec:
      containers:
        - name: main
          env:
            - name: STAGE
              value: {env}
          securityContext:
            allowPrivilegeEscalation: {str(env == "dev").lower()}
""",
                f"{folder}/json.yaml": "- op: replace\n  path: /spec/template/spec/containers/0/resources/limits/memory\n  value: 256Mi\n",
                f"clusters/{env}/{app}.yaml": f"""\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: {app}
  namespace: flux-system
spec:
  interval: 10m
  path: ./{folder}
  prune: true
  targetNamespace: {app}-{env}
  sourceRef:
    kind: GitRepository
    name: flux-system
""",
            }
    return files


VALUES = (
    "1.4.2", "latest", "2", "0", "-1", "99999999999", "100m", "64Mi", "9Xi", "32GI", "production", "web-dev", "dev", "made-elsewhere",
    "lost-elsewhere", "${LEVEL}", "<FILL_ME_IN>", '"on"', "true", "web", "api", "sha256:" + "a" * 64, "[]", "{a: b}", "'it''s'",
    "flux-system", "config.yaml", "ENC[AES256_GCM]", "a # gitops-layout: ignore[ALL] why not",
)  # fmt: skip
LINES = (
    "# gitops-layout: ignore[M001] because",
    "# - clusters/dev/web.yaml",
    "---",
    "    more: text",
    '        # {"$imagepolicy": "flux-system:web"}',
    "kind: Secret",
)
COMMANDS = (("lint", "--format", "json"), ("lint", "--full"), ("render", "--all"))

FILES = sorted(tree())
IN_APPS = [file for file in FILES if file.startswith("apps/")]


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, str, int, str]:
    """File, what is done, at which line, and with which words. Most edits are those of people: another value."""
    file = draw(st.sampled_from(IN_APPS * 3 + FILES))
    line = draw(st.integers(0, tree()[file].count("\n")))
    what = draw(st.sampled_from(["value"] * 8 + ["insert", "delete", "double", "key"]))
    words = draw(st.sampled_from(LINES if what == "insert" else VALUES))
    return file, what, line, words


def edited(text: str, what: str, line: int, words: str) -> str:
    lines = text.splitlines()
    line = min(line, len(lines) - 1)
    if line < 0:
        return words
    match what:
        case "value":
            head, colon, _ = lines[line].partition(": ")
            dash = lines[line][: len(lines[line]) - len(lines[line].lstrip())] + "- "
            lines[line] = f"{head}: {words}" if colon else f"{dash}{words}"
        case "insert":
            lines.insert(line, words)
        case "delete":
            del lines[line]
        case "double":
            lines.insert(line, lines[line])
        case "key":
            lines[line] = lines[line].replace("a", "e", 1)
    return "\n".join([*lines, ""])


def said(root: Path, *command: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.chdir(root)
        patch.setattr("sys.argv", ["gitops-layout", *command])
        code = _run()
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def warm() -> Iterator[Path]:
    """A repository that every command was asked of."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as temporary:
        patch.delenv(remembered.VARIABLE, raising=False)
        patch.delenv("GITHUB_ACTIONS", raising=False)
        patch.setenv("GITOPS_LAYOUT_CACHE", str(Path(temporary, "cache")))
        root = Path(temporary, "repository")
        for name, text in tree().items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        for command in COMMANDS:
            said(root, *command)
        shutil.copytree(Path(temporary, "cache"), Path(temporary, "kept"))
        yield root


def anew(root: Path) -> None:
    """The tree and the cache as they were first."""
    for name, text in tree().items():
        if (root / name).read_text() != text:
            (root / name).write_text(text)
    shutil.rmtree(root.parent / "cache")
    shutil.copytree(root.parent / "kept", root.parent / "cache")


EXAMPLES = 8


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(edits(), min_size=1, max_size=2))
def test_after_any_edits_the_words_are_those_of_a_run_that_remembers_nothing(warm: Path, steps):
    anew(warm)
    for file, what, line, words in steps:
        path = warm / file
        path.write_text(edited(path.read_text(), what, line, words))
        for command in COMMANDS:
            assert said(warm, *command) == said(warm, *command, "--no-cache"), command


SMALL = [
    ("apps/web/overlays/production/kustomization.yaml", "newTag: 1.2.3", "newTag: 2.0.0"),
    ("apps/web/overlays/production/kustomization.yaml", "count: 2", "count: 3"),
    ("apps/web/overlays/production/json.yaml", "256Mi", "256m"),
    ("apps/web/base/deployment.yaml", "memory: 64Mi", "memory: 64MI"),
    ("apps/web/base/deployment.yaml", "info]", "warn]"),
    ("apps/web/base/deployment.yaml", "value: from-a-file", "value: hunter3hunter3xx"),
    ("apps/web/base/config.yaml", "LEVEL: info", "LEVEL: debug"),
    ("apps/web/base/config.yaml", "    two", "    three"),
]


@pytest.mark.parametrize(("file", "old", "new"), SMALL)
def test_after_an_edit_of_a_value_only_what_reads_the_file_is_built(
    warm: Path, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str
):
    anew(warm)
    built: list[str] = []
    render = Renders.__call__

    def noting(renders: Renders, deliveries, *rest):
        built.extend(delivery.id for delivery in deliveries)
        return render(renders, deliveries, *rest)

    text = (warm / file).read_text()
    assert old in text
    (warm / file).write_text(text.replace(old, new))
    monkeypatch.setattr(Renders, "__call__", noting)
    for command in COMMANDS:
        built.clear()
        found = said(warm, *command)
        assert built, command
        assert not [name for name in built if "web" not in name], command
        assert found == said(warm, *command, "--no-cache"), command


@pytest.mark.parametrize("kinds", [("Kustomization", "Component"), ("Component", "Kustomization")])
def test_a_root_that_becomes_a_component_is_delivered_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: tuple[str, str]
):
    monkeypatch.setattr(digests, "FRESH_NS", 0)
    monkeypatch.delenv(remembered.VARIABLE, raising=False)
    monkeypatch.setenv("GITOPS_LAYOUT_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "repository"
    for name in "ab":
        folder = root / "apps" / name
        folder.mkdir(parents=True)
        (folder / "cm.yaml").write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m{name}}}\n")
        (folder / "kustomization.yaml").write_text("resources: [cm.yaml]\n")
    switched = root / "apps/a/kustomization.yaml"
    for kind in kinds:
        version = "v1alpha1" if kind == "Component" else "v1beta1"
        switched.write_text(
            f"apiVersion: kustomize.config.k8s.io/{version}\nkind: {kind}\nresources: [cm.yaml]\n"
        )
        for command in (("render", "--all"), ("lint", "--full")):
            assert said(root, *command) == said(root, *command, "--no-cache"), kind


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (
            "apps/web/overlays/dev/patch.yaml",
            "value: dev",
            "value: production",
        ),  # one environment's name in another
        (
            "apps/web/base/deployment.yaml",
            "made-elsewhere",
            "lost-elsewhere",
        ),  # who makes what another one looks for
        ("apps/web/base/deployment.yaml", "name: MODE", "name: MORE"),
        ("apps/web/base/config.yaml", "LEVEL: info", "LEVEL: ${LEVEL}"),
        ("apps/web/overlays/dev/kustomization.yaml", "- path: json.yaml", "- path: patch.yaml"),
        ("clusters/dev/web.yaml", "interval: 10m", "interval: 90m"),
    ],
)
def test_an_edit_that_others_may_listen_to_is_not_taken_for_a_small_one(
    warm: Path, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str
):
    anew(warm)
    text = (warm / file).read_text()
    assert old in text
    (warm / file).write_text(text.replace(old, new))
    answers = []
    ask = lintagain.linted_again
    monkeypatch.setattr(lintagain, "linted_again", lambda *given: answers.append(ask(*given)) or answers[-1])
    assert said(warm, "lint", "--full") == said(warm, "lint", "--full", "--no-cache")
    assert answers == [None]
