"""Every YAML file is accounted for."""

from __future__ import annotations

from gitops_layout.graph.accounts import State, accounts
from gitops_layout.repo.model import is_yaml
from tests.graph.test_link import APPS, CONFIG_MAP, FLEET, linked


def test_every_file_gets_one_account_with_its_reason():
    graph = linked(
        {
            **FLEET,
            "apps/web/envs/prod/kustomization.yaml": "resources:\n- ../../base\n# - ../../extra\n#- more.yaml # later\n",
            "apps/web/extra/a.yaml": CONFIG_MAP,
            "apps/web/envs/prod/more.yaml": CONFIG_MAP,
            "examples/a.yaml": CONFIG_MAP,
            "forgotten.yaml": CONFIG_MAP,
            "mkdocs.yml": "site_name: x\n",
            ".github/workflows/ci.yaml": "on: push\n",
            "broken.yaml": "a: [\n",
            ".vscode/settings.json": "{ // comment\n}\n",
            "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\ntype: library\n",
            "charts/web/values.yaml": "a: 1\n",
            "charts/web/templates/notes.txt": "{{ x }}",
            "charts/web/templates/a.yaml": "{{ x }}",
            "charts/web/charts/db/values.yaml": "a: 1\n",
        }
    )
    found = {account.file: (account.state, account.why) for account in accounts(graph)}
    assert found.keys() == {path for path in graph.repo.files if is_yaml(path)}
    assert found["clusters/prod-eu/apps.yaml"][0] is State.DELIVERED
    assert found["apps/web/base/settings.yaml"] == (
        State.DELIVERED,
        "read by flux:Kustomization/flux-system/apps@prod-eu",
    )
    assert found["apps/old/settings.yaml"][0] is State.UNREACHED
    assert found["apps/web/extra/a.yaml"] == (
        State.OFF,
        "commented out in apps/web/envs/prod/kustomization.yaml:3",
    )
    assert found["apps/web/envs/prod/more.yaml"][0] is State.OFF
    assert found["examples/a.yaml"] == (State.ASIDE, "below examples/")
    assert found["forgotten.yaml"] == (State.UNREACHED, "no agent object and no kustomization names it")
    assert found["mkdocs.yml"][0] is State.TOOL
    assert found[".github/workflows/ci.yaml"][0] is State.TOOL
    assert found[".vscode/settings.json"][0] is State.TOOL
    for file in ("values.yaml", "templates/a.yaml", "charts/db/values.yaml"):
        assert found[f"charts/web/{file}"] == (
            State.UNREACHED,
            "of chart charts/web, and no release seen here takes it",
        ), file
    assert found["broken.yaml"][0] is State.UNCHECKED


def test_an_environment_called_test_is_not_set_aside_as_a_test():
    stages = {f"clusters/{name}/web.yaml": APPS.replace("envs/prod", name) for name in ("test", "prod")}
    applied = {f"apps/web/{name}/a.yaml": CONFIG_MAP for name in ("test", "prod")}
    graph = linked({**stages, **applied, "apps/shop/test/a.yaml": CONFIG_MAP, "tests/a.yaml": CONFIG_MAP})
    found = {account.file: account.state for account in accounts(graph)}
    assert found["apps/shop/test/a.yaml"] is State.UNREACHED
    assert found["tests/a.yaml"] is State.ASIDE


def test_objects_that_somebody_put_away_are_set_aside_even_where_they_would_not_work():
    gone = APPS.replace("./apps/web/envs/prod", "./gone").replace("name: apps", "name: old")
    files = {
        ".archive/old.yaml": gone,
        "examples/old.yaml": gone.replace("old", "sample"),
        ".dist/old.yaml": CONFIG_MAP,
        ".ci.yaml": "on: push\n",
    }
    found = {account.file: (account.state, account.why) for account in accounts(linked({**FLEET, **files}))}
    assert found[".archive/old.yaml"] == (State.ASIDE, "below .archive/")
    assert found[".dist/old.yaml"] == (State.ASIDE, "in .dist")
    assert found[".ci.yaml"][0] is State.TOOL


def test_an_application_set_that_is_no_yaml_is_no_tools_template():
    broken = "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nspec: {template: {metadata: {name: {{.x}}}}}\n"
    tool = broken.replace("ApplicationSet", "Application")
    graph = linked({**FLEET, "sets/all.yaml": broken, "boilerplate/web.yaml": tool})
    found = {account.file: account.state for account in accounts(graph)}
    assert (found["sets/all.yaml"], found["boilerplate/web.yaml"]) == (State.UNCHECKED, State.TOOL)


def test_a_part_of_an_object_that_no_kustomization_names_is_unreached():
    part = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web}\nspec: {values: {a: 1}}\n"
    graph = linked({**FLEET, "apps/web/demo.yaml": part})
    found = {account.file: (account.state, account.why) for account in accounts(graph)}
    assert found["apps/web/demo.yaml"] == (
        State.UNREACHED,
        "a part of HelmRelease web, and no kustomization names it as a patch",
    )


def test_objects_of_no_type_are_listed_where_they_stand_and_are_not_delivered():
    graph = linked(
        {
            **FLEET,
            "argo/odd.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: [Application]\nmetadata: {name: web}\n",
            "forgotten.yaml": "apiVersion: v1\nkind: 3\nmetadata: {name: c}\n---\napiVersion: [v1]\nkind: Secret\n"
            "---\nkind: Secret\nmetadata: {name: e}\n---\napiVersion: v1\nmetadata: {name: f}\n",
            "values.yaml": "kind: DaemonSet\n---\napiVersion: v2\nname: web\n",
            "apps/web/envs/prod/kustomization.yaml": "resources: [../../base]\nconfigMapGenerator: [{name: p, files: [p.yaml]}]\n",
            "apps/web/envs/prod/p.yaml": "apiVersion: v1\nkind: null\n",
        }
    )
    found = [
        (entry.location.file, graph.repo.span(entry.location).line, entry.why.partition(",")[0])
        for entry in graph.unchecked
        if entry.location is not None
    ]
    assert found == [
        ("argo/odd.yaml", 2, "kind is a list and no text"),
        ("forgotten.yaml", 2, "kind is a number and no text"),
        ("forgotten.yaml", 5, "apiVersion is a list and no text"),
        ("forgotten.yaml", 8, "it has no apiVersion"),
        ("forgotten.yaml", 11, "it has no kind"),
    ]
    states = {account.file: account.state for account in accounts(graph)}
    assert states["argo/odd.yaml"] is states["forgotten.yaml"] is State.UNCHECKED
    assert states["values.yaml"] is State.TOOL
    assert graph.is_live("argo/odd.yaml")
    assert not graph.is_live("forgotten.yaml")


def test_a_repository_of_templates_alone_is_not_taken_for_one_without_faults():
    templates = {"apps/a.yaml.j2": "kind: #{x}#\n", "apps/b.yml.tmpl": "kind: {{ .x }}\n", "notes.j2": ""}
    (entry,) = linked(templates).unchecked
    assert (entry.what, entry.location and entry.location.file) == (
        "2 templates of manifests",
        "apps/a.yaml.j2",
    )
    assert linked({**templates, "a.yaml": CONFIG_MAP}).unchecked == ()
    assert linked({"README.md": "x"}).unchecked == ()


def test_what_lies_in_a_folder_that_a_plugin_renders_is_unchecked_and_not_unreached():
    application = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: plug, namespace: argocd}\n"
        "spec:\n  project: default\n  destination: {name: in-cluster, namespace: plug}\n"
        "  source: {repoURL: 'https://example.test/acme/fleet.git', path: apps/pl, plugin: {name: cmp}}\n"
    )
    graph = linked(
        {"root/plug.yaml": application, "apps/pl/deep/cm.yaml": CONFIG_MAP, "apps/other/cm.yaml": CONFIG_MAP}
    )
    found = {account.file: (account.state, account.why) for account in accounts(graph)}
    state, why = found["apps/pl/deep/cm.yaml"]
    assert state is State.UNCHECKED
    assert "a config management plugin renders it" in why
    assert found["apps/other/cm.yaml"][0] is State.UNREACHED


def test_what_an_application_leaves_out_says_so_and_an_excluded_application_is_a_root_all_the_same():
    def application(name: str, path: str, directory: str = "") -> str:
        return (
            f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\n"
            "spec: {project: default, destination: {name: in-cluster, namespace: x}, source: "
            f"{{repoURL: https://example.org/own.git, path: {path}{directory}}}}}\n"
        )

    graph = linked(
        {
            "apps/root.yaml": application("root", "apps", ", directory: {exclude: '{root,down,top}.yaml'}"),
            "apps/up.yaml": application("up", "web/up", ", directory: {include: 'a*.yaml'}"),
            "apps/down.yaml": application("down", "web/down"),
            "apps/top.yaml": application("top", "apps", ", directory: {include: root.yaml}"),
            "web/up/a.yaml": CONFIG_MAP,
            "web/up/b.yaml": CONFIG_MAP,
            "web/up/deep/a.yaml": CONFIG_MAP,
            "web/down/a.yaml": CONFIG_MAP,
        }
    )
    live = {delivery.name: delivery.live for delivery in graph.deliveries}
    assert live == {"root": True, "up": True, "down": True, "top": True}, "somebody else may apply it"
    found = {account.file: account.why for account in accounts(graph) if account.state is State.UNREACHED}
    up = next(d.id for d in graph.deliveries if d.name == "up")
    assert found["web/up/b.yaml"] == f"{up} leaves it out: directory.include does not name it"
    assert found["web/up/deep/a.yaml"] == f"{up} does not recurse into this folder"


def test_json_with_comments_that_speaks_of_no_object_is_some_tools():
    graph = linked(
        {"web/a.yaml": CONFIG_MAP, "ui/tsconfig.json": '{\n  // of a tool\n  "include": ["src"],\n}\n'}
    )
    assert {account.file: account.state for account in accounts(graph)}["ui/tsconfig.json"] is State.TOOL
    assert not graph.unchecked
