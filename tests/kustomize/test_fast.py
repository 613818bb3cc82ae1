"""What the fast builder was seen to get wrong, or might: one small tree each, against real kubectl."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitops_layout.kustomize.fast import Declined
from tests.kustomize.oracle import differences, fast, real, repository

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      containers:
        - {name: web, image: "nginx:1.0", env: [{name: A, value: "1"}, {name: B, value: "2"}]}
        - {name: side, image: r.io/side}
      volumes: [{name: v, configMap: {name: cm}}]
"""
ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\n"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {k: v}\n"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}, {port: 443, name: tls}]}\n"
CUSTOM = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\nspec: {list: [{name: a}, {name: b}], x: yes, d: 2020-01-02}\n"
BINDING = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: b}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r}\nsubjects: [{kind: ServiceAccount, name: web, namespace: x}, {kind: ServiceAccount, name: default}, {kind: User, name: u}]\n"
POLICY = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: p}\n"
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: old}\n"
OTHER_NAMESPACE = "apiVersion: example.com/v1\nkind: Namespace\nmetadata: {name: old}\n"
OPENAPI = json.dumps({"definitions": {"com.example.v1.Thing": {"x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Thing"}], "properties": {"metadata": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}, "spec": {"type": "object", "properties": {"pod": {"$ref": "#/definitions/gone"}, "list": {"type": "array", "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name", "items": {"$ref": "#/definitions/gone"}}}}}}, "com.example.v1.Inner": {"x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Inner"}], "properties": {"spec": {"type": "object", "properties": {"containers": {"type": "array", "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name", "items": {"type": "object"}}}}}}}})  # fmt: skip
ALL = {"d.yaml": DEPLOYMENT, "a.yaml": ACCOUNT, "c.yaml": CONFIG, "s.yaml": SERVICE, "b.yaml": BINDING, "n.yaml": NAMESPACE}  # fmt: skip
EVERY = list(ALL)

CASES: dict[str, tuple[dict[str, Any], dict[str, str | bytes]]] = {
    "namespace and subjects": ({"namespace": "shop", "resources": EVERY}, {}),
    "kinds that kustomize does not know get a namespace": ({"namespace": "x", "resources": ["p.yaml"]}, {"p.yaml": POLICY}),
    "kinds called Namespace are sorted apart": ({"resources": ["o.yaml", "n.yaml"]}, {"o.yaml": OTHER_NAMESPACE}),
    "prefix, suffix and references": ({"namePrefix": "a-", "nameSuffix": "-z", "resources": EVERY}, {}),
    "labels with selectors": ({"labels": [{"pairs": {"l": "1"}, "includeSelectors": True}], "resources": EVERY}, {}),
    "labels in templates": ({"labels": [{"pairs": {"l": "1"}, "includeTemplates": True}], "resources": EVERY}, {}),
    "labels in fields of one's own": ({"labels": [{"pairs": {"l": "1"}, "fields": [{"path": "spec/extra", "create": True, "kind": "Deployment"}]}], "resources": EVERY}, {}),
    "common labels and annotations": ({"commonLabels": {"l": "1"}, "commonAnnotations": {"n": "2"}, "resources": EVERY}, {}),
    "images by name, tag, digest and suffix": ({"images": [{"name": "nginx", "newName": "r/n", "newTag": "2"}, {"name": "r.io/side", "digest": "sha256:1"}], "resources": EVERY}, {}),
    "a tag suffix is added twice": ({"images": [{"name": "nginx", "tagSuffix": "-x"}], "resources": EVERY}, {}),
    "replicas": ({"replicas": [{"name": "web", "count": 3}], "resources": EVERY}, {}),
    "generated names are followed": ({"configMapGenerator": [{"name": "cm", "literals": ["a=<1>"], "files": ["n=f.txt", "bin"], "envs": ["e"]}], "resources": ["d.yaml"]}, {"f.txt": "x\r\n\ty\n", "bin": bytes(range(256)), "e": "\ufeffA=1\n# c\n B=2 \nC\n"}),
    "a generator merges and renames": ({"configMapGenerator": [{"name": "cm", "behavior": "merge", "literals": ["n=1"]}], "resources": ["base", "d.yaml"]}, {"base/kustomization.yaml": "configMapGenerator: [{name: cm, literals: [k=v]}]"}),
    "a generator replaces a plain object": ({"configMapGenerator": [{"name": "cm", "behavior": "replace", "literals": ["n=1"]}], "resources": ["c.yaml"]}, {}),
    "generator options": ({"generatorOptions": {"labels": {"a": "b"}, "immutable": True}, "secretGenerator": [{"name": "s", "literals": ["p='q'"], "options": {"labels": {"a": "c"}, "disableNameSuffixHash": True}}]}, {}),
    "long secrets are written in lines": ({"secretGenerator": [{"name": "s", "files": ["f"]}]}, {"f": "x" * 200}),
    "a patch's list elements come first": ({"patches": [{"patch": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: new, image: x}, {name: side, env: [{name: Z}]}]}}}"}], "resources": EVERY}, {}),
    "elements that two keys tell apart stay where they are": ({"patches": [{"patch": "{apiVersion: v1, kind: Service, metadata: {name: d}, spec: {ports: [{port: 9, protocol: TCP}, {port: 53, protocol: UDP, nodePort: 1}]}}"}], "resources": ["s2.yaml"]}, {"s2.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: d}\nspec: {ports: [{port: 53, protocol: TCP, name: a}, {port: 53, protocol: UDP, name: b}]}\n"}),
    "a patch deletes": ({"patches": [{"patch": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: null}\nspec: {template: {spec: {volumes: null, containers: [{name: web, $patch: delete}, {name: side, env: null}]}}}"}, {"patch": "{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}, $patch: delete}"}], "resources": EVERY}, {}),
    "a patch replaces lists and mappings": ({"patches": [{"patch": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {selector: {$patch: replace, matchLabels: {b: c}}, template: {spec: {containers: [{name: q}, {$patch: replace}]}}}"}], "resources": EVERY}, {}),
    "a merge drops nulls that are written as nothing": ({"patches": [{"patch": "{apiVersion: example.com/v1, kind: Thing, metadata: {name: t}, spec: {new: 1}}"}], "resources": ["t.yaml"]}, {"t.yaml": "apiVersion: example.com/v1\nkind: Thing\nmetadata:\n  name: t\n  creationTimestamp: null\nspec:\n  a:\n  b: ~\n  c:\n    d:\n    e: null\n"}),
    "a merge replaces lists of custom kinds": ({"patches": [{"patch": "{apiVersion: example.com/v1, kind: Thing, metadata: {name: t}, spec: {list: [{name: b, v: 1}]}}"}], "resources": ["t.yaml"]}, {"t.yaml": CUSTOM}),
    "targets by pattern, labels and annotations": ({"patches": [{"target": {"kind": "Deploy.*|Service", "name": "we.", "labelSelector": "app in (web, x),!z"}, "patch": "- {op: add, path: /metadata/annotations/x, value: z}"}], "namespace": "s", "resources": EVERY}, {}),
    "a JSON patch adds, removes, moves, copies and tests": ({"patches": [{"target": {"kind": "Deployment"}, "patch": json.dumps([{"op": "test", "path": "/kind", "value": "Deployment"}, {"op": "add", "path": "/spec/template/spec/containers/1", "value": {"name": "m"}}, {"op": "remove", "path": "/spec/template/spec/containers/0/env/0"}, {"op": "copy", "from": "/metadata/name", "path": "/metadata/labels/n~1m"}, {"op": "move", "from": "/spec/selector", "path": "/spec/s"}, {"op": "replace", "path": "/spec/paused", "value": False}])}], "resources": EVERY}, {}),
    "names and kinds may change where allowed": ({"patches": [{"target": {"kind": "ConfigMap"}, "options": {"allowNameChange": True, "allowKindChange": True}, "patch": "{apiVersion: v1, kind: Secret, metadata: {name: other}}"}], "resources": EVERY}, {}),
    "old fields for patches": ({"patchesStrategicMerge": ["p.yaml"], "patchesJson6902": [{"target": {"version": "v1", "kind": "Service", "name": "web"}, "path": "j.yaml"}], "bases": ["base"]}, {"p.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {type: NodePort}\n", "j.yaml": "- {op: add, path: /spec/x, value: on}\n", "base/kustomization.yaml": "resources: [s.yaml]", "base/s.yaml": SERVICE}),
    "a component works on its parent's objects": ({"resources": EVERY, "components": ["part"], "namePrefix": "p-"}, {"part/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamespace: inner\nconfigMapGenerator: [{name: cm, behavior: merge, literals: [x=y]}]\n"}),
    "lists are opened": ({"resources": ["l.yaml", "n.yaml"]}, {"l.yaml": json.dumps({"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": n}} for n in "ab"]})}),
    "kustomize's own types of scalars": ({"resources": ["t.yaml"]}, {"t.yaml": "apiVersion: example.com/v1\nkind: Thing\nmetadata:\n  name: t\n  annotations: {a: 010, b: True, c: ~, d: 2020-01-02, e: 1e3}\nspec:\n  yes: on\n  n: 0o17\n  f: 1.50\n  d: 2020-01-02\n  s: '2020-01-02'\n  last: |\n    no newline"}),
    "merge keys and anchors": ({"resources": ["t.yaml"]}, {"t.yaml": "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\nx: &x {a: 1, b: 2}\ny: {b: 3, <<: *x}\nz: *x\n"}),
    "what is local stays at home": ({"resources": ["c.yaml", "n.yaml"], "commonAnnotations": {"config.kubernetes.io/local-config": "true"}}, {}),
    "order as written": ({"sortOptions": {"order": "fifo"}, "resources": EVERY}, {}),
    "replacements": ({"replacements": [{"source": {"kind": "Service", "fieldPath": "spec.ports.0.port"}, "targets": [{"select": {"kind": "Deployment"}, "fieldPaths": ["spec.template.spec.containers.[name=web].env.[name=A].value", "metadata.annotations.port"], "options": {"create": True}}]}, {"source": {"kind": "ConfigMap", "name": "cm"}, "targets": [{"select": {"kind": "Deployment"}, "fieldPaths": ["spec.template.spec.containers.*.image"], "options": {"delimiter": ":", "index": 0}}]}], "resources": EVERY}, {}),
    "replacements whose value stands there": ({"replacements": [{"sourceValue": "5", "targets": [{"select": {"kind": "Deployment"}, "fieldPaths": ["metadata.labels.app", "metadata.annotations.n"], "options": {"create": True}}, {"select": {"kind": "ConfigMap"}, "fieldPaths": ["data.k"]}]}, {"sourceValue": "2.0", "targets": [{"select": {"kind": "Deployment"}, "fieldPaths": ["spec.template.spec.containers.[name=web].image"], "options": {"delimiter": ":", "index": 1}}]}], "resources": EVERY}, {}),
    "ports with and without a protocol": ({"patches": [{"patch": "{apiVersion: v1, kind: Service, metadata: {name: d}, spec: {ports: [{port: 9}, {port: 80, name: web}, {port: 7, protocol: UDP}]}}"}], "resources": ["s2.yaml", "s.yaml"]}, {"s2.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: d}\nspec: {ports: [{port: 53, protocol: TCP}, {port: 53, protocol: UDP}, {port: 80}]}\n"}),
    "a port without a protocol beside ports with one": ({"patches": [{"patch": "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: {containers: [{name: web, ports: [{containerPort: 9090, name: metrics}]}]}}}}"}], "resources": ["d2.yaml"]}, {"d2.yaml": DEPLOYMENT.replace("name: web, image", "name: web, ports: [{containerPort: 80, protocol: TCP}], image")}),
    "a schema that refers to what it does not define": ({"openapi": {"path": "o.json"}, "patches": [{"patch": "{apiVersion: example.com/v1, kind: Thing, metadata: {name: t, labels: {a: b}}, spec: {list: [{name: b, v: 1}], pod: {spec: {containers: [{name: c, image: y}]}}}}"}], "resources": ["t.yaml"]}, {"o.json": OPENAPI, "t.yaml": "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t, labels: {c: d}}\nspec: {list: [{name: a}, {name: b}], pod: {apiVersion: example.com/v1, kind: Inner, spec: {containers: [{name: a}, {name: c}]}}}\n"}),
    "a variable that is a number is a text in annotations": ({"vars": [{"name": "N", "objref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "r"}, "fieldref": {"fieldPath": "spec.replicas"}}], "resources": ["r.yaml"]}, {"r.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: r, annotations: {n: $(N)}}\nspec: {replicas: 5}\n"}),
    "a base's configuration holds for who includes it": ({"namePrefix": "p-", "namespace": "sp", "commonLabels": {"l": "1"}, "resources": ["base"]}, {"base/kustomization.yaml": "resources: [c.yaml, t.yaml]\nconfigurations: [conf.yaml]\n", "base/c.yaml": CONFIG, "base/t.yaml": "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\nspec: {map: cm, inner: [{map: cm}]}\n", "base/conf.yaml": "nameReference:\n- {kind: ConfigMap, version: v1, fieldSpecs: [{path: spec/map, kind: Thing}, {path: spec/inner/map, kind: Thing}]}\nnamespace:\n- {path: spec/space, kind: Thing, create: true}\ncommonLabels:\n- {path: spec/selector, kind: Thing, create: true}\nvarReference:\n- {path: spec/x, kind: Thing}\n"}),
    "a label that is new to several fields changes in all": ({"labels": [{"pairs": {"l": "1"}, "includeSelectors": True}], "resources": ["base"]}, {"base/kustomization.yaml": "resources: [d.yaml]\nlabels: [{pairs: {l: '0'}, includeSelectors: true}]\n", "base/d.yaml": DEPLOYMENT}),
    "markers for image automation": ({"patches": [{"patch": "{apiVersion: apps/v1, kind: Deployment, metadata: {name: m}, spec: {replicas: 2}}"}], "resources": ["m.yaml"]}, {"m.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: m\nspec:\n  template:\n    spec:\n      containers:\n        - name: m\n          image: a/b:1 # {\"$imagepolicy\": \"flux-system:m\"}\n"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_builds_as_kubectl_builds(name):
    data, files = CASES[name]
    repo = repository(ALL | files | {"kustomization.yaml": json.dumps(data)})
    ours = fast(repo, "")
    assert not isinstance(ours, Declined), ours
    assert differences(ours, real(repo, "")) == []


DECLINED: dict[str, tuple[dict[str, Any], dict[str, str | bytes], tuple[str | int, ...]]] = {
    "fields left to kustomize": ({"helmCharts": [{"name": "X"}], "resources": EVERY}, {}, ("helmCharts", 0)),
    "a schema that a base brings": ({"resources": ["base"]}, {"base/kustomization.yaml": "resources: [../c.yaml]\nopenapi: {path: ../c.yaml}\n"}, ("openapi",)),
    "a number where kustomize wants a text": ({"images": [{"name": "nginx", "newTag": 1.2}], "resources": EVERY}, {}, ("images", 0, "newTag")),
    "two objects with one identity": ({"resources": ["c.yaml", "c2.yaml"]}, {"c2.yaml": CONFIG}, ("metadata", "name")),
    "a patch that matches nothing": ({"resources": ["c.yaml"], "patches": [{"patch": "{apiVersion: v1, kind: ConfigMap, metadata: {name: gone}}"}]}, {}, ("patches", 0, "patch", 0, "metadata", "name")),
    "a number over a quoted text": ({"patches": [{"patch": "{apiVersion: v1, kind: ConfigMap, metadata: {name: q}, data: {k: 1}}"}], "resources": ["q.yaml"]}, {"q.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: q}\ndata: {k: '0'}\n"}, ("patches", 0, "patch", 0, "data", "k")),
    "ports named by different fields": ({"patches": [{"patch": "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80, protocol: TCP}]}}"}], "resources": EVERY}, {}, ("patches", 0, "patch", 0, "spec", "ports")),
    "a number in a field that a replacement creates": ({"replacements": [{"sourceValue": "5", "targets": [{"select": {"kind": "Deployment"}, "fieldPaths": ["spec.replicas"], "options": {"create": True}}]}], "resources": EVERY}, {}, ("replacements", 0, "targets", 0)),
    "folded lines that kustomize changes": ({"resources": ["f.yaml"]}, {"f.yaml": "apiVersion: v1\nkind: Thing\nmetadata: {name: f}\ndata:\n  k: >\n    a\n      b\n    c\n"}, ("data", "k")),
    "a label that kustomize changes in other fields too": ({"labels": [{"pairs": {"l": "1"}}], "resources": ["base"]}, {"base/kustomization.yaml": "resources: [d.yaml]\nlabels: [{pairs: {l: '0'}, includeSelectors: true}]\n", "base/d.yaml": DEPLOYMENT}, ("labels", 0, "pairs")),
    "a key that stands twice": ({"resources": ["f.yaml"]}, {"f.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: f}\ndata: {k: a, k: b}\n"}, ("data", "k")),
}  # fmt: skip


@pytest.mark.parametrize("name", DECLINED)
def test_what_it_does_not_know_it_declines_on_the_line(name):
    data, files, path = DECLINED[name]
    repo = repository(ALL | files | {"kustomization.yaml": json.dumps(data)})
    result = fast(repo, "")
    assert isinstance(result, Declined)
    assert result.location.path == path, result


def test_a_pattern_that_python_would_try_for_ages_is_left_to_go():
    patch = {"target": {"name": "(a+)+b"}, "patch": "- {op: add, path: /x, value: y}"}
    name = "a" * 200
    config = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"
    repo = repository({"kustomization.yaml": json.dumps({"resources": ["c.yaml"], "patches": [patch]}), "c.yaml": config})  # fmt: skip
    result = fast(repo, "")
    assert isinstance(result, Declined)
    assert result.location.path == ("patches", 0, "target", "name")


def test_the_load_restriction_is_kept():
    from gitops_layout.kustomize.fast import build
    from gitops_layout.kustomize.walk import walk

    repo = repository({"a/kustomization.yaml": "resources: [../c.yaml]", "c.yaml": CONFIG})
    assert not isinstance(build(repo, walk(repo, "a")), Declined)
    assert isinstance(build(repo, walk(repo, "a"), restricted=True), Declined)
