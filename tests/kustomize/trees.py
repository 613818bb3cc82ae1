"""Random kustomizations over every field that the fast builder knows: a base, perhaps a component, an overlay."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from tests.kustomize.rare import rare_fields, refer

__all__ = ["damaged", "tree", "yaml_text"]


class Raw(str):
    """A scalar written as it is, without quotes."""

    __slots__ = ()


def yaml_text(value: Any, indent: int = 0) -> str:
    """Block YAML; texts are quoted unless they are Raw or hold lines."""
    pad = "  " * indent
    if isinstance(value, dict) and value:
        return "".join(f"{pad}{key}:{_after(item, indent)}" for key, item in value.items())
    if isinstance(value, list) and value:
        return "".join(f"{pad}-{_after(item, indent)}" for item in value)
    return f"{pad}{_scalar(value)}\n"


def _after(value: Any, indent: int) -> str:
    if isinstance(value, dict | list) and value:
        return "\n" + yaml_text(value, indent + 1)
    if isinstance(value, str) and not isinstance(value, Raw) and "\n" in value and value[0] != "\t":
        lines = "".join(f"{'  ' * (indent + 1)}{line}\n" if line else "\n" for line in value.split("\n")[:-1])
        return f" |\n{lines}"
    return f" {_scalar(value)}\n"


def _scalar(value: Any) -> str:
    match value:
        case Raw():
            return str(value)
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case str():
            text = value.replace("\\", "\\\\").replace('"', '\\"')
            return '"' + text.replace("\t", "\\t").replace("\n", "\\n") + '"'
        case _:
            return str(value)


SCALARS = ["x", "true", "8080", "a b", "", "é", "line\nmore\n", Raw("yes"), Raw("on"), Raw("0x1F"), Raw("1.50"), Raw("plain"), Raw("1e3"), 7, True, Raw("2020-01-02"), Raw("12e4567"), Raw("0777"), Raw("{}"), Raw("[]")]  # fmt: skip
TEXTS = ["\ttab\nlines\n", *24 * ["x"], "8080", "true", "a,b", "é", "<&>", "two\nlines\n", Raw("plain"), "no"]
LABELS = ["app", "tier", "example.com/part-of"]


def _ports(rnd: Random, key: str) -> list[dict[str, Any]]:
    """One to three ports: without protocols, with them (one number may stand twice), or some with and some without."""
    plain: list[dict[str, Any]] = [{key: 8080 + n} for n in range(3)]
    named = [{**port, "protocol": name} for port in plain for name in ("TCP", "UDP")]
    mixed = [rnd.choice([port, {**port, "protocol": "TCP"}]) for port in plain]
    ports = rnd.choice([plain, plain, named, mixed])
    return rnd.sample(ports, rnd.randint(1, 3))


def pod(rnd: Random, name: str) -> dict[str, Any]:
    containers = []
    for index in range(rnd.randint(1, 3)):
        container: dict[str, Any] = {
            "name": f"c{index}",
            "image": rnd.choice(
                ["nginx", "nginx:1.0", "ghcr.io/acme/web:v1", "r:5000/x/y@sha256:abc", "redis:7@sha256:0aF"]
            ),
        }
        if rnd.random() < 0.5:
            container["ports"] = _ports(rnd, "containerPort")
        if rnd.random() < 0.6:
            container["env"] = [
                {"name": f"E{n}", "value": rnd.choice(["1", "x", "yes"])} for n in range(rnd.randint(1, 3))
            ]
        if rnd.random() < 0.4:
            container["envFrom"] = [
                {"configMapRef": {"name": f"{name}-cm"}},
                {"secretRef": {"name": f"{name}-secret"}},
            ]
        if rnd.random() < 0.3:
            container["resources"] = rnd.choice(
                [{}, {"limits": {"cpu": Raw("1")}}, {"requests": {"memory": Raw("1Gi")}}, Raw("")]
            )
        if rnd.random() < 0.3:
            container["args"] = rnd.sample(["--a", "--b=c", "d"], 2)
        containers.append(container)
    spec: dict[str, Any] = {"containers": containers}
    if rnd.random() < 0.4:
        spec["serviceAccountName"] = f"{name}-sa"
    if rnd.random() < 0.5:
        spec["volumes"] = [
            {"name": "v", "configMap": {"name": f"{name}-cm"}},
            {"name": "w", "secret": {"secretName": f"{name}-secret"}},
            {"name": "t", "emptyDir": {}},
        ][: rnd.randint(1, 3)]
    if rnd.random() < 0.2:
        spec["imagePullSecrets"] = [{"name": f"{name}-secret"}]
    if rnd.random() < 0.2:
        spec["affinity"] = {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"labelSelector": {"matchLabels": {"app": name}}, "topologyKey": "zone"}
                ]
            }
        }
    return spec


def metadata(rnd: Random, name: str, namespace: str | None) -> dict[str, Any]:
    data: dict[str, Any] = {"name": name}
    if namespace:
        data["namespace"] = namespace
    if rnd.random() < 0.4:
        data["labels"] = {key: rnd.choice(["a", "b"]) for key in rnd.sample(LABELS, rnd.randint(0, 2))}
    if rnd.random() < 0.4:
        data["annotations"] = {
            f"n{n}": rnd.choice(["x", Raw("true"), Raw("8080"), Raw("~"), "two\nlines\n"])
            for n in range(rnd.randint(0, 2))
        }
    if rnd.random() < 0.1:
        data["creationTimestamp"] = rnd.choice([None, Raw("")])
    if rnd.random() < 0.1:
        data["finalizers"] = ["a", "b"]
    return data


def objects(rnd: Random, case: str) -> list[dict[str, Any]]:
    """Some objects whose names begin with `case`; they refer to each other."""
    space = rnd.choice([None, None, f"{case}-ns"])

    def meta(suffix: str, namespace: str | None = space) -> dict[str, Any]:
        return metadata(rnd, f"{case}{suffix}", namespace)

    labels = {"app": case}
    template = {
        "metadata": rnd.choice([{"labels": labels}, {"labels": labels, "annotations": {"k": "v"}}, {}])
    }
    subjects = [
        {
            "kind": "ServiceAccount",
            "name": rnd.choice(["default", f"{case}-sa", "other"]),
            **rnd.choice([{}, {"namespace": "here"}, {"namespace": f"{case}-ns"}]),
        }
    ]
    rules = {
        "rules": [
            {
                "apiGroups": [""],
                "resources": ["configmaps"],
                "resourceNames": [f"{case}-cm"],
                "verbs": ["get"],
            }
        ]
    }
    ref = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": rnd.choice(["Role", "ClusterRole"]),
        "name": f"{case}-role",
    }
    choices: list[dict[str, Any]] = [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(""), "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {**template, "spec": pod(rnd, case)}}},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta(""), "spec": {"serviceName": case, "selector": {"matchLabels": labels}, "template": {**template, "spec": pod(rnd, case)}, "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"storageClassName": f"{case}-class"}}]}},
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta(""), "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": pod(rnd, case)}}}}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta(""), "spec": pod(rnd, case)},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta(""), "spec": {"selector": labels, "ports": _ports(rnd, "port")}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("-cm"), "data": {f"k{n}": rnd.choice(TEXTS) for n in range(rnd.randint(0, 3))}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta("-secret"), "type": "Opaque", "stringData": {"p": "x"}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("-sa"), "imagePullSecrets": [{"name": f"{case}-secret"}]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta("-role"), **rules},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": meta("-role", None), **rules},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta("-rb"), "subjects": subjects, "roleRef": ref},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": meta("-crb", None), "subjects": subjects, "roleRef": {**ref, "kind": "ClusterRole"}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta(""), "spec": {"tls": [{"secretName": f"{case}-secret"}], "rules": [{"http": {"paths": [{"path": "/", "backend": {"service": {"name": case, "port": {"number": 80}}}}]}}]}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta(""), "spec": {"podSelector": rnd.choice([{}, {"matchLabels": labels}]), "ingress": [{"from": [{"podSelector": {"matchLabels": labels}}]}]}},
        {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta(""), "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": case}}},
        {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": meta(""), "spec": {"values": {f"v{n}": rnd.choice(SCALARS) for n in range(3)}, "list": [{"name": "a", "value": 1}, {"name": "b"}]}},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta("-data"), "spec": {"storageClassName": f"{case}-class", "volumeName": f"{case}-pv"}},
        {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": meta("-class", None), "provisioner": "x"},
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": meta("-hook", None), "webhooks": [{"name": "h", "clientConfig": {"service": {"name": case, "namespace": rnd.choice(["default", f"{case}-ns"])}}}]},
        {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": meta("-thing"), "spec": {"ref": {"name": f"{case}-cm"}, "id": case, "labels": {"a": "b"}, "list": [{"name": "a", "x": 1}, {"name": "b"}], "image": "nginx:1"}},
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": meta("-vapb", None), "spec": {"policyName": "x"}},
    ]  # fmt: skip
    return rnd.sample(choices, rnd.randint(1, 6))


def patch_of(rnd: Random, target: dict[str, Any]) -> dict[str, Any]:
    """A strategic merge for an object: changes, additions, removals."""
    meta: dict[str, Any] = {"name": target["metadata"]["name"]}
    if "namespace" in target["metadata"]:
        meta["namespace"] = target["metadata"]["namespace"]
    patch: dict[str, Any] = {"apiVersion": target["apiVersion"], "kind": target["kind"], "metadata": meta}
    if rnd.random() < 0.4:
        meta["labels"] = {rnd.choice(LABELS): "patched"}
    if rnd.random() < 0.4:
        meta["annotations"] = {"n0": rnd.choice(["patched", None]), "new": Raw("on")}
    if rnd.random() < 0.1:
        meta["finalizers"] = ["c", "a"]
    for key, value in target.items():
        if key in ("apiVersion", "kind", "metadata", "rules", "subjects", "roleRef") or rnd.random() < 0.3:
            continue
        patch[key] = _changed(rnd, value, key)
    if rnd.random() < 0.05:
        patch["$patch"] = "delete"
    return patch


def _changed(rnd: Random, value: Any, key: str) -> Any:
    if isinstance(value, dict):
        if value and rnd.random() < 0.06:
            return {"$patch": "replace", "fresh": "x"}
        result = {k: _changed(rnd, v, k) for k, v in value.items() if rnd.random() < 0.5}
        if rnd.random() < 0.2:
            result["added"] = rnd.choice([*SCALARS, {"deep": {"er": None, "x": 1}}, [1, {"a": None}]])
        if value and rnd.random() < 0.1:
            result[rnd.choice(list(value))] = None
        return result
    if isinstance(value, list):
        return _changed_list(rnd, value, key)
    return rnd.choice(SCALARS) if rnd.random() < 0.8 else None


def _changed_list(rnd: Random, value: list[Any], key: str) -> list[Any]:
    kept = [element for element in value if rnd.random() < 0.6]
    identity = {"containers": "name", "env": "name", "volumes": "name", "ports": None}.get(key, "")
    if identity is None:
        rnd.shuffle(kept)
        if kept and rnd.random() < 0.3:
            kept.append({next(iter(kept[0])): 9090, **rnd.choice([{}, {"protocol": "TCP"}, {"name": "new"}])})
        return [{**element, **rnd.choice([{}, {"hostPort": 1}])} for element in kept]
    if not identity or not all(isinstance(element, dict) for element in kept):
        return [*kept, "new"] if all(isinstance(element, str) for element in kept) else kept
    elements = []
    for element in kept:
        if rnd.random() < 0.15:
            elements.append({identity: element[identity], "$patch": "delete"})
        else:
            elements.append({**_changed(rnd, element, key), identity: element[identity]})
    if rnd.random() < 0.4:
        fresh = {"containers": {"name": "side", "image": "busybox:1"}, "env": {"name": "NEW", "value": "1"}, "volumes": {"name": "n", "emptyDir": {}}}  # fmt: skip
        elements.append(fresh[key])
    if rnd.random() < 0.05:
        elements.append({"$patch": "replace"})
    rnd.shuffle(elements)
    return elements


def operations(rnd: Random, target: dict[str, Any]) -> list[dict[str, Any]]:
    """A JSON patch for an object."""
    pool = [
        {"op": "add", "path": "/metadata/labels", "value": {"by": "json"}},
        {"op": "add", "path": "/metadata/annotations/json", "value": "x"},
        {"op": "replace", "path": "/metadata/annotations", "value": {"only": "this"}},
        {"op": "add", "path": "/spec/fresh", "value": rnd.choice([None, 1, 1.5, {"a": [1]}, "yes"])},
        {"op": "remove", "path": "/spec/replicas"},
        {"op": "replace", "path": "/spec/replicas", "value": 3},
        {"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": "J", "value": "1"}},
        {"op": "add", "path": "/spec/template/spec/containers/0", "value": {"name": "first", "image": "x"}},
        {"op": "remove", "path": "/spec/template/spec/containers/0"},
        {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "nginx:json"},
        {"op": "copy", "from": "/metadata/name", "path": "/metadata/labels/copied"},
        {"op": "move", "from": "/spec/replicas", "path": "/spec/moved"},
        {"op": "test", "path": "/kind", "value": target["kind"]},
        {"op": "replace", "path": "/data/k0", "value": "json"},
    ]
    fitting = [operation for operation in pool if _fits(operation, target)]
    return rnd.sample(fitting, min(len(fitting), rnd.randint(1, 2)))


def _fits(operation: dict[str, Any], target: dict[str, Any]) -> bool:
    """Whether what the operation needs is there; now and then it is not, and both sides must say so."""
    steps = operation.get("from", operation["path"]).split("/")[1:]
    data: Any = target
    for step in steps[:-1] if operation["op"] in ("add", "replace") else steps:
        if isinstance(data, list):
            data = data[0] if data else None
        else:
            data = data.get(step) if isinstance(data, dict) else None
    return isinstance(data, dict | list) or (data is not None and operation["op"] not in ("add", "replace"))


def kustomization(rnd: Random, case: str, known: list[dict[str, Any]], layer: str) -> dict[str, Any]:
    """Transformers and generators of one layer."""
    data: dict[str, Any] = {}
    if rnd.random() < 0.4:
        data["namespace"] = f"{case}-{layer}"
    if rnd.random() < 0.2:
        data["namePrefix"] = f"{layer}-"
    if rnd.random() < 0.15:
        data["nameSuffix"] = f"-{layer}"
    if rnd.random() < 0.25:
        data["labels"] = [{"pairs": {rnd.choice(LABELS): layer, "x": "1"}, **rnd.choice([{}, {"includeSelectors": True}, {"includeTemplates": True}, {"fields": [{"path": "metadata/annotations", "create": rnd.random() < 0.5}]}])}]  # fmt: skip
    if rnd.random() < 0.15:
        data["commonLabels"] = {"common": layer}
    if rnd.random() < 0.2:
        data["commonAnnotations"] = {"note": layer}
    if rnd.random() < 0.3:
        data["images"] = [rnd.choice([{"name": "nginx", "newTag": "2"}, {"name": "nginx", "newName": "r/n"}, {"name": "ghcr.io/acme/web", "digest": "sha256:12"}, {"name": "nginx", "tagSuffix": "-x"}, {"name": "r:5000/x/y", "newName": "z", "newTag": "9"}])]  # fmt: skip
    workloads = [o for o in known if o["kind"] in ("Deployment", "StatefulSet")]
    if workloads and rnd.random() < 0.3:
        data["replicas"] = [{"name": workloads[0]["metadata"]["name"], "count": 5}]
    _patch(rnd, data, known)
    _generate(rnd, data, case, known, layer)
    if known and rnd.random() < 0.15:
        data["replacements"] = [_replacement(rnd, known)]
    return data


def _patch(rnd: Random, data: dict[str, Any], known: list[dict[str, Any]]) -> None:
    patches: list[dict[str, Any]] = []
    for target in rnd.sample(known, min(len(known), rnd.randint(0, 2))):
        selector = rnd.choice([{"kind": target["kind"]}, {"kind": target["kind"], "name": target["metadata"]["name"]}, {"name": ".*"}, {"labelSelector": "app"}, {"kind": "(Deploy|Stateful).*"}])  # fmt: skip
        if rnd.random() < 0.6:
            patch = patch_of(rnd, target)
            entry: dict[str, Any] = {"patch": yaml_text(patch)}
            if rnd.random() < 0.3:
                entry["target"] = selector
            if rnd.random() < 0.1:
                entry["options"] = {rnd.choice(["allowNameChange", "allowKindChange"]): rnd.random() < 0.8}
        else:
            exact = {"kind": target["kind"], "name": target["metadata"]["name"]}
            entry = {"patch": yaml_text(operations(rnd, target)), "target": exact}
        patches.append(entry)
    if patches:
        data["patches"] = patches
    if known and rnd.random() < 0.1:
        data["patchesStrategicMerge"] = [yaml_text(patch_of(rnd, rnd.choice(known))).strip()]


def _generate(rnd: Random, data: dict[str, Any], case: str, known: list[dict[str, Any]], layer: str) -> None:
    if rnd.random() < 0.3:
        maps = any(o["kind"] == "ConfigMap" for o in known)
        entry: dict[str, Any] = {"name": f"{case}-cm", "behavior": rnd.choice(["merge", "replace"])} if maps else {"name": f"{case}-cm"}  # fmt: skip
        namespaces = [o["metadata"].get("namespace") for o in known if o["kind"] == "ConfigMap"]
        if namespaces and namespaces[0]:
            entry["namespace"] = namespaces[0]
        entry["literals"] = ["A=1", f"B={rnd.choice(['x', '<&>', 'é', chr(34) + 'q' + chr(34)])}"]
        if rnd.random() < 0.5:
            entry["files"] = [rnd.choice(["data.txt", "named=data.txt", "binary.bin"])]
        if rnd.random() < 0.3:
            entry["envs"] = ["vars.env"]
        if rnd.random() < 0.3:
            entry["options"] = {"labels": {"gen": "y"}, **rnd.choice([{}, {"immutable": True}, {"disableNameSuffixHash": True}])}  # fmt: skip
        data["configMapGenerator"] = [entry]
    if rnd.random() < 0.2 and not any(o["kind"] == "Secret" for o in known):
        data["secretGenerator"] = [{"name": f"{case}-secret", "literals": ["p=s"], **rnd.choice([{}, {"type": "kubernetes.io/tls"}, {"files": ["binary.bin"]}])}]  # fmt: skip
    if rnd.random() < 0.15:
        data["generatorOptions"] = rnd.choice(
            [{"disableNameSuffixHash": True}, {"annotations": {"g": layer}}]
        )


def _replacement(rnd: Random, known: list[dict[str, Any]]) -> dict[str, Any]:
    source, target = rnd.choice(known), rnd.choice(known)
    origin: dict[str, Any] = {
        "source": {
            "kind": source["kind"],
            "name": source["metadata"]["name"],
            "fieldPath": rnd.choice(["metadata.name", "kind"]),
        }
    }
    if rnd.random() < 0.3:
        origin = {
            "sourceValue": rnd.choice(
                [text for text in TEXTS + SCALARS if isinstance(text, str) and not isinstance(text, Raw)]
            )
        }
    return {
        **origin,
        "targets": [{"select": {"kind": target["kind"]}, "fieldPaths": [rnd.choice(["metadata.labels.replaced", "metadata.annotations.r", "spec.replicas", "spec.fresh", "spec.template.spec.containers.0.image", "spec.template.spec.containers.[name=c0].image"])], "options": rnd.choice([{"create": True}, {"create": True}, {"delimiter": ":", "index": 1}])}],
    }  # fmt: skip


def tree(rnd: Random, case: str) -> dict[str, str | bytes]:
    """The files of one case; `<case>/overlay` is its root."""
    known = objects(rnd, case)
    refer(rnd, case, known)
    files: dict[str, str | bytes] = {f"{case}/base/{n}.yaml": yaml_text(o) for n, o in enumerate(known)}
    if rnd.random() < 0.3:
        files = {f"{case}/base/all.yaml": "---\n".join(str(text) for text in files.values())}
    for layer in ("base", "overlay", "part"):
        tab = "\t" if rnd.random() < 0.02 else ""
        files[f"{case}/{layer}/data.txt"] = f"{tab}some\n  data\r\nwith <all> & sorts\n"
        files[f"{case}/{layer}/binary.bin"] = bytes(range(0, 250, 3))
        files[f"{case}/{layer}/vars.env"] = "# comment\nV=1\n  W=a=b \n\nEMPTY\n"
    base: dict[str, Any] = {
        "resources": [path.rpartition("/")[2] for path in files if path.endswith(".yaml")]
    }
    if rnd.random() < 0.3:
        base |= kustomization(rnd, case, known, "base")
    rare_fields(rnd, base, f"{case}/base", known, files)
    files[f"{case}/base/kustomization.yaml"] = yaml_text(base)
    # Most outer layers stay simple: what the base renames, their patches may miss.
    overlay: dict[str, Any] = {"resources": ["../base"]} | kustomization(rnd, case, known, "overlay")
    if rnd.random() < 0.25:
        overlay["components"] = ["../part"]
        part = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
        part |= kustomization(rnd, case, known, "part")
        rare_fields(rnd, part, f"{case}/part", known, files)
        files[f"{case}/part/kustomization.yaml"] = yaml_text(part)
    if rnd.random() < 0.3:
        rare_fields(rnd, overlay, f"{case}/overlay", known, files)
    first = "---\n---\n" if rnd.random() < 0.01 else ""
    files[f"{case}/overlay/kustomization.yaml"] = first + yaml_text(overlay)
    return files


DAMAGE = [
    "null",
    "[]",
    "{}",
    "5",
    "x",
    "true",
    "[1]",
    "{a: b}",
    "",
    '"8080"',
    "[{a: 1}]",
    "[x, null]",
    "1e3",
    "on",
]


def damaged(rnd: Random, files: dict[str, str | bytes]) -> dict[str, str | bytes]:
    """The files with one to three values replaced by others, or lines left out."""
    result = dict(files)
    for _ in range(rnd.randint(1, 3)):
        path = rnd.choice([path for path in files if path.endswith(".yaml")])
        lines = str(result[path]).split("\n")
        index = rnd.randrange(len(lines))
        found = re.match(r"(\s*(?:- )?[\w./-]+:)( .*)?$", lines[index])
        if found:
            lines[index] = f"{found[1]} {rnd.choice(DAMAGE)}"
        elif rnd.random() < 0.3:
            del lines[index]
        result[path] = "\n".join(lines)
    return result
