"""The rarer fields of kustomizations: variables, configurations, descriptions of kinds, plugins, build metadata.

Each small tree is built by real kubectl too.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitops_layout.kustomize.fast import Declined, Fast
from tests.kustomize.oracle import differences, fast, real, repository

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}, annotations: {at: "$(HOST):$(PORT)"}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: nginx:1.0
          args: ["--host=$(HOST)", "$(PORT)", "$$(HOST)", "$(UNKNOWN)", "$(HOST", "$x"]
          env: [{name: A, value: "$(HOST)"}, {name: B, value: "plain"}]
"""
SERVICE = """apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{port: 80, targetPort: $(PORT)}], type: ClusterIP}
"""
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {host: $(HOST), on: 'true'}\n"
CUSTOM = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\nspec: {ref: {name: cm}, list: [{name: a, x: 1}, {name: b}], id: own, labels: {a: b}, image: nginx:1}\n"
BINDING = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: b}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r}\nsubjects: [{kind: ServiceAccount, name: web, namespace: x}, {kind: ServiceAccount, name: default}, {kind: User, name: u}]\n"
FILES = {"d.yaml": DEPLOYMENT, "s.yaml": SERVICE, "c.yaml": CONFIG, "t.yaml": CUSTOM, "b.yaml": BINDING}
EVERY = list(FILES)
HOST = {"name": "HOST", "objref": {"apiVersion": "v1", "kind": "Service", "name": "web"}}
PORT = {"name": "PORT", "objref": {"apiVersion": "v1", "kind": "Service", "name": "web", "namespace": "shop"}, "fieldref": {"fieldPath": "spec.ports[0].port"}}  # fmt: skip
COUNT = {"name": "PORT", "objref": {"group": "apps", "version": "v1", "kind": "Deployment", "name": "web"}, "fieldref": {"fieldPath": "spec.replicas"}}  # fmt: skip
REPLACEMENT = {"source": {"kind": "Service", "fieldPath": "metadata.name"}, "targets": [{"select": {"kind": "ConfigMap"}, "fieldPaths": ["data.host"]}]}  # fmt: skip


def plugin(kind: str, **fields: Any) -> str:
    """The configuration of a built-in plugin."""
    metadata = {"name": "p", **fields.pop("metadata", {})}
    return json.dumps({"apiVersion": "builtin", "kind": kind, "metadata": metadata, **fields})


SPECS = [{"path": "metadata/name"}]
LABELS = [{"path": "metadata/labels", "create": True}]
CRD = json.dumps({"com.example.v1.Thing": {"Schema": {"properties": {"kind": {}, "apiVersion": {}, "metadata": {}, "spec": {"$ref": "Spec"}}}}, "Spec": {"Schema": {"properties": {"ref": {"x-kubernetes-object-ref-api-version": "v1", "x-kubernetes-object-ref-kind": "ConfigMap"}, "id": {"x-kubernetes-identity": ""}, "labels": {"x-kubernetes-label-selector": ""}, "notes": {"x-kubernetes-annotation": ""}}}}})  # fmt: skip
SCHEMA = json.dumps({"definitions": {"com.example.v1.Thing": {"x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Thing"}], "properties": {"spec": {"$ref": "#/definitions/S"}}}, "S": {"type": "object", "properties": {"list": {"type": "array", "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name", "items": {"type": "object", "properties": {"x": {"type": "integer"}}}}}}}})  # fmt: skip
MERGE = "{apiVersion: example.com/v1, kind: Thing, metadata: {name: t}, spec: {list: [{name: b, y: 2}, {name: c}]}}"
CONTAINER = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: {containers: [{name: web, tty: true}]}}}}"
CONFIGURATION = """nameReference: [{kind: ConfigMap, version: v1, fieldSpecs: [{kind: Thing, path: spec/ref/name, create: true}]}]
namePrefix: [{kind: Thing, path: spec/id}]
nameSuffix: [{kind: Thing, path: spec/new, create: true}]
images: [{kind: Thing, path: spec/image}]
replicas: [{kind: Thing, path: spec/count, create: true}]
commonLabels: [{kind: Thing, path: spec/labels, create: true}]
commonAnnotations: [{kind: Thing, path: spec/notes, create: true}]
labels: [{kind: Thing, path: spec/more, create: true}]
templateLabels: [{kind: Thing, path: spec/template, create: true}]
namespace: [{kind: Thing, path: spec/ns, create: true}]
varReference: [{kind: ConfigMap, path: data}, {kind: Thing, path: spec/list/name}]
"""
ALL_KINDS = {"namespace": "ns", "namePrefix": "p-", "nameSuffix": "-s", "commonLabels": {"l": "1"}, "commonAnnotations": {"n": "1"}, "labels": [{"pairs": {"m": "2"}, "includeTemplates": True}], "images": [{"name": "nginx", "newTag": "2"}], "replicas": [{"name": "t", "count": 3}]}  # fmt: skip
GENERATED = plugin("ConfigMapGenerator", literals=["a=1"], files=["k=c.yaml"])

CASES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "variables in their default places": ({"vars": [HOST, PORT], "resources": EVERY}, {}),
    "variables take values as they are after all else": ({"vars": [HOST], "namePrefix": "p-", "resources": EVERY}, {}),
    "a variable of a base": ({"resources": ["base", "d.yaml"], "nameSuffix": "-x"}, {"base/kustomization.yaml": json.dumps({"vars": [HOST, COUNT], "resources": ["s.yaml", "d.yaml"]}), "base/s.yaml": SERVICE, "base/d.yaml": DEPLOYMENT.replace("web", "other").replace("nginx:1.0", "x"), "d.yaml": DEPLOYMENT.replace("name: web", "name: third")} | {"base/kustomization.yaml": json.dumps({"vars": [HOST], "resources": ["s.yaml", "d.yaml"]})}),
    "a variable of another group": ({"vars": [HOST, COUNT], "resources": EVERY}, {}),
    "a variable's field in the other spelling": ({"vars": [HOST, {**PORT, "fieldref": {"fieldpath": "spec.ports[0].port"}}], "resources": EVERY}, {}),
    "a variable's field in a third spelling": ({"vars": [HOST, {"name": "PORT", "objref": PORT["objref"], "fieldRef": {"fieldPath": "spec.ports[0].port"}}], "resources": EVERY}, {}),
    "variables where a configuration says so": ({"vars": [HOST], "configurations": ["k.yaml"], "resources": EVERY}, {"k.yaml": "varReference: [{kind: ConfigMap, path: data, create: true}]\n"}),
    "every kind of configuration": ({"configurations": ["k.yaml"], "vars": [HOST], **ALL_KINDS, "resources": EVERY}, {"k.yaml": CONFIGURATION}),
    "references of a description of kinds": ({"crds": ["crd.json"], "resources": EVERY, "nameSuffix": "-x", "namePrefix": "p-", "commonLabels": {"l": "1"}, "commonAnnotations": {"n": "2"}}, {"crd.json": CRD}),
    "merge keys of an own schema": ({"openapi": {"path": "o.json"}, "resources": EVERY, "patches": [{"patch": MERGE}]}, {"o.json": SCHEMA}),
    "an own schema takes the place of Kubernetes'": ({"openapi": {"path": "o.json"}, "resources": ["d.yaml"], "patches": [{"patch": CONTAINER}]}, {"o.json": SCHEMA}),
    "an own schema in bases of the root": ({"openapi": {"path": "o.json"}, "resources": ["base"]}, {"o.json": SCHEMA, "base/kustomization.yaml": json.dumps({"resources": ["t.yaml"], "patches": [{"patch": MERGE}]}), "base/t.yaml": CUSTOM}),
    "replacements in a file": ({"replacements": [{"path": "r.yaml"}], "resources": EVERY}, {"r.yaml": json.dumps([REPLACEMENT])}),
    "one replacement in a file": ({"replacements": [{"path": "r.yaml"}], "resources": EVERY}, {"r.yaml": json.dumps(REPLACEMENT)}),
    "image tags of old": ({"imageTags": [{"name": "nginx", "newTag": "3"}], "resources": EVERY}, {}),
    "a sort order of one's own": ({"sortOptions": {"order": "legacy", "legacySortOptions": {"orderFirst": ["Thing", "Deployment"], "orderLast": ["Service"]}}, "resources": EVERY}, {}),
    "who built it": ({"buildMetadata": ["managedByLabel"], "resources": EVERY}, {}),
    "where objects come from": ({"buildMetadata": ["originAnnotations", "managedByLabel"], "resources": ["./d.yaml", "base"], "components": ["part"], "configMapGenerator": [{"name": "g", "literals": ["a=1"]}, {"name": "h", "behavior": "merge", "literals": ["b=1"]}]}, {"base/kustomization.yaml": json.dumps({"resources": ["../t.yaml", "deep"], "configMapGenerator": [{"name": "h", "literals": ["a=1"]}], "generators": [GENERATED, "g.yaml"]}), "base/g.yaml": plugin("SecretGenerator", literals=["x=y"], metadata={"name": "q", "namespace": "ns"}), "base/c.yaml": CONFIG, "base/deep/kustomization.yaml": "resources: [../../c.yaml]", "part/kustomization.yaml": json.dumps({"kind": "Component", "resources": ["s.yaml"], "configMapGenerator": [{"name": "h", "behavior": "merge", "literals": ["c=1"]}, {"name": "i", "literals": ["c=1"]}]}), "part/s.yaml": SERVICE}),
    "metadata that a base asks for": ({"resources": ["base"]}, {"base/kustomization.yaml": json.dumps({"buildMetadata": ["originAnnotations"], "resources": ["../d.yaml"]})}),
    "a JSON patch over noted objects": ({"buildMetadata": ["managedByLabel"], "resources": ["b.yaml"], "patches": [{"target": {"kind": "ClusterRoleBinding"}, "patch": "- {op: add, path: /metadata/annotations/x, value: yy}"}]}, {}),
    "a generator plugin with the name of its configuration": ({"generators": [GENERATED]}, {}),
    "a generator plugin with a name of its own": ({"generators": ["g.yaml"]}, {"g.yaml": plugin("SecretGenerator", name="own", namespace="ns", literals=["a=b"], type="x", options={"disableNameSuffixHash": True})}),
    "a generator plugin that merges": ({"resources": ["c.yaml"], "generators": [plugin("ConfigMapGenerator", name="cm", behavior="merge", literals=["a=1"])]}, {}),
    "a prefix plugin": ({"resources": EVERY, "transformers": [plugin("PrefixTransformer", prefix="p-", fieldSpecs=SPECS)]}, {}),
    "a suffix plugin for some kinds": ({"resources": EVERY, "transformers": [plugin("SuffixTransformer", suffix="-s", fieldSpecs=[{"path": "metadata/name", "kind": "ConfigMap"}, {"path": "spec/id", "kind": "Thing"}])]}, {}),
    "a plugin for both ends": ({"resources": EVERY, "transformers": [plugin("PrefixSuffixTransformer", prefix="p-", suffix="-s", fieldSpecs=SPECS)]}, {}),
    "a label plugin": ({"resources": EVERY, "transformers": [plugin("LabelTransformer", labels={"l": "1"}, fieldSpecs=LABELS)]}, {}),
    "an annotation plugin in a file": ({"resources": EVERY, "transformers": ["t/x.yaml"]}, {"t/x.yaml": plugin("AnnotationsTransformer", annotations={"l": "1"}, fieldSpecs=[{"path": "metadata/annotations", "create": True}])}),
    "plugins in a kustomization": ({"resources": EVERY, "transformers": ["t"]}, {"t/kustomization.yaml": "resources: [x.yaml]", "t/x.yaml": plugin("ImageTagTransformer", imageTag={"name": "nginx", "newTag": "4"}) + "\n---\n" + plugin("ReplicaCountTransformer", metadata={"name": "r"}, replica={"name": "web", "count": 4}, fieldSpecs=[{"path": "spec/replicas", "kind": "Deployment", "create": True}])}),
    "a namespace plugin": ({"resources": EVERY, "transformers": [plugin("NamespaceTransformer", metadata={"namespace": "ns"}, fieldSpecs=[{"path": "metadata/name", "kind": "Namespace", "create": True}])]}, {}),
    "a namespace plugin for what has none": ({"resources": EVERY, "transformers": [plugin("NamespaceTransformer", metadata={"namespace": "ns"}, unsetOnly=True, setRoleBindingSubjects="allServiceAccounts")]}, {}),
    "a namespace plugin that leaves subjects": ({"resources": EVERY, "transformers": [plugin("NamespaceTransformer", metadata={"namespace": "ns"}, setRoleBindingSubjects="none")]}, {}),
    "patch plugins": ({"resources": EVERY, "transformers": [plugin("PatchTransformer", patch=CONTAINER), plugin("PatchStrategicMergeTransformer", metadata={"name": "q"}, paths=["m.yaml"], patches=CONTAINER), plugin("PatchJson6902Transformer", metadata={"name": "r"}, target={"kind": "ConfigMap", "name": "cm"}, jsonOp="- {op: add, path: /data/x, value: y}"), "p.yaml"]}, {"m.yaml": MERGE, "p.yaml": plugin("PatchTransformer", metadata={"name": "s"}, path="j.yaml", target={"kind": "Service"}), "j.yaml": "- {op: add, path: /spec/x, value: 1}"}),
    "a replacement plugin": ({"resources": EVERY, "transformers": [plugin("ReplacementTransformer", replacements=[REPLACEMENT, {"path": "r.yaml"}])]}, {"r.yaml": json.dumps(REPLACEMENT)}),
    "a hash plugin": ({"configMapGenerator": [{"name": "g", "literals": ["a=1"]}], "transformers": [plugin("HashTransformer")]}, {}),
    "a validator that changes nothing": ({"resources": EVERY, "validators": [plugin("ImageTagTransformer", imageTag={"name": "none", "newTag": "4"})]}, {}),
    "a pattern with a variable of Flux": ({"resources": ["v.yaml"], "patches": [{"target": {"name": r"\${name}-x"}, "patch": "- {op: add, path: /data/y, value: z}"}]}, {"v.yaml": CONFIG.replace("name: cm", "name: '${name}-x'")}),
    "a behaviour that is none": ({"configMapGenerator": [{"name": "g", "behavior": "add", "literals": ["a=1"]}]}, {}),
    "the last line of a JSON patch": ({"resources": ["c.yaml"], "patchesJson6902": [{"target": {"version": "v1", "kind": "ConfigMap", "name": "cm"}, "patch": "- op: add\n  path: /data/x\n  value: |\n    y\n"}]}, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_builds_as_kubectl_builds(name):
    data, files = CASES[name]
    repo = repository(FILES | files | {"kustomization.yaml": json.dumps(data)})
    ours = fast(repo, "")
    assert not isinstance(ours, Declined), ours
    assert differences(ours, real(repo, "")) == []


def test_numbers_beyond_an_int64_are_those_that_kustomize_writes():
    numbers = "[12345678901234567890, 9223372036854775808, 18446744073709551615, 18446744073709551616, 1e19]"
    more = (
        "[0xFFFFFFFFFFFFFFFF, 12345678901234567890.0, -9223372036854775809, 9223372036854775807, 1e18, 1e21]"
    )
    text = f"apiVersion: e/v1\nkind: X\nmetadata: {{name: x}}\nspec: {{a: {numbers}, b: {more}}}\n"
    repo = repository({"kustomization.yaml": "resources: [x.yaml]\n", "x.yaml": text})
    ours = fast(repo, "")
    assert isinstance(ours, Fast)
    assert differences(ours, real(repo, "")) == []
    assert (
        repr(ours.objects[0]["spec"]["a"][:3])
        == "[12345678901234567890, 9223372036854775808, 18446744073709551615]"
    )


EMPTYING = (
    {"op": "replace", "path": "/metadata/annotations", "value": {}},
    {"op": "add", "path": "/metadata/annotations", "value": None},
    {"op": "remove", "path": "/metadata/annotations/a"},
)
FOLLOWING = (
    {"op": "add", "path": "/metadata/annotations/b", "value": "x"},
    {"op": "copy", "from": "/metadata/name", "path": "/metadata/annotations/b"},
    {"op": "add", "path": "/data/b", "value": "x"},
)


@pytest.mark.parametrize("field", ["patches", "patchesJson6902"])
@pytest.mark.parametrize("following", FOLLOWING, ids=["adds", "copies", "goes elsewhere"])
@pytest.mark.parametrize("emptying", EMPTYING, ids=["no annotations", "null", "the last taken away"])
def test_a_json_patch_finds_emptied_annotations_as_kustomize_keeps_them(field, following, emptying):
    """What another entry has emptied is gone, unless kustomize has notes of its own to keep there."""
    target = {"version": "v1", "kind": "ConfigMap", "name": "cm"}
    entries = [{"target": target, "patch": json.dumps([step])} for step in (emptying, following)]
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm, annotations: {a: b}}\ndata: {k: v}\n"
    repo = repository(
        {"c.yaml": config, "kustomization.yaml": json.dumps({"resources": ["c.yaml"], field: entries})}
    )
    ours, theirs = fast(repo, ""), real(repo, "")
    if isinstance(ours, Declined):
        assert theirs.problem is not None, ours
    else:
        assert differences(ours, theirs) == []
