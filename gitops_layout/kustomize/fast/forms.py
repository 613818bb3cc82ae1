"""The forms of a kustomization's fields that the fast builder knows; any other is declined.

kustomize reads the file strictly: a number where it wants a text is an error. What is checked here
once need not be checked where it is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from gitops_layout.kustomize.fast.declined import Declined, DeclinedError, decline, refuse
from gitops_layout.kustomize.fast.item import check_key
from gitops_layout.kustomize.model import VERSIONS
from gitops_layout.model import Location

__all__ = ["PLUGINS", "check_forms", "check_plugin", "refused_forms"]

Check = Callable[[Any, Location], None]

_UNKNOWN = ("helmChartInflationGenerator", "helmCharts", "helmGlobals")


def _plain(kind: type, word: str) -> Check:
    def check(value: Any, where: Location) -> None:
        if type(value) is not kind:
            boolean = (
                " but a boolean" if kind is str and isinstance(value, bool) else ""
            )  # `y`, `no` and the like
            refuse(
                f"{_called(where)} is no {word}{boolean}",
                where,
                f"write a {word}, in quotes if need be" if kind is str else f"write a {word}",
                said="unmarshal|cannot be empty",
            )

    return check


_text, _boolean, _number = _plain(str, "text"), _plain(bool, "boolean"), _plain(int, "number")


def _called(where: Location) -> str:
    """What a place is called: an item by its list and number."""
    path = where.path
    return f"{path[-2]}[{path[-1]}]" if len(path) > 1 and isinstance(path[-1], int) else str(path[-1])


def _list(element: Check) -> Check:
    def check(value: Any, where: Location) -> None:
        if not isinstance(value, list):
            refuse(f"{_called(where)} is no list", where, "write a list", said="unmarshal")
        for index, entry in enumerate(value):
            element(entry, where.at(index))

    return check


def _mapping(fields: dict[str, Check]) -> Check:
    def check(value: Any, where: Location) -> None:
        if not isinstance(value, dict):
            decline(f"{where.path[-1]} is no mapping", where)
        for key, entry in value.items():
            if key not in fields:
                decline(f"{key} is not known here", where.at(key))
            if entry is not None:
                fields[key](entry, where.at(key))

    return check


def _either(*spellings: str) -> Check:
    """A mapping of one text; kustomize's decoder ignores the case of keys, and its own pages write both."""
    mapping = _mapping(dict.fromkeys(spellings, _text))

    def check(value: Any, where: Location) -> None:
        mapping(value, where)
        if len(value) > 1:
            decline(f"{' and '.join(value)} are one key to kustomize", where)

    return check


def _pairs(value: Any, where: Location) -> None:
    if not isinstance(value, dict):
        decline(f"{where.path[-1]} is no mapping", where)
    for key, entry in value.items():
        if entry is None:
            decline(f"{key} is null", where.at(key))
        _text(entry, where.at(key))
        check_key(key, where.at(key))


def _anything(_value: Any, _where: Location) -> None:
    """Checked where it is used."""


_texts = _list(_text)
_options = _mapping(
    {"labels": _pairs, "annotations": _pairs, "disableNameSuffixHash": _boolean, "immutable": _boolean}
)
_target = _mapping(
    dict.fromkeys(
        ("group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector"), _text
    )
)
_patch: dict[str, Check] = {
    "path": _text,
    "patch": _text,
    "target": _target,
    "options": _mapping({"allowNameChange": _boolean, "allowKindChange": _boolean}),
}
_patches = _list(_mapping(_patch))
_generator: dict[str, Check] = {
    "name": _text,
    "namespace": _text,
    "behavior": _text,
    "literals": _texts,
    "files": _texts,
    "envs": _texts,
    "env": _text,
    "options": _options,
}
_spec = _mapping({"path": _text, "kind": _text, "group": _text, "version": _text, "create": _boolean})
_specs = _list(_spec)
_image = _mapping(dict.fromkeys(("name", "newName", "newTag", "digest", "tagSuffix"), _text))
_replica = _mapping({"name": _text, "count": _number})
_metadata = _mapping({"name": _text, "namespace": _text, "labels": _pairs, "annotations": _pairs})
_reference = _either("fieldPath", "fieldpath")
_variable = _mapping(
    {
        "name": _text,
        "objref": _mapping(
            dict.fromkeys(("apiVersion", "group", "version", "kind", "name", "namespace"), _text)
        ),
        "fieldref": _reference,
        "fieldRef": _reference,
    }
)


def _variables(value: Any, where: Location) -> None:
    _list(_variable)(value, where)
    for index, entry in enumerate(value):
        if "fieldref" in entry and "fieldRef" in entry:
            decline("fieldref and fieldRef are one key to kustomize", where.at(index))


_sorting = _mapping(
    {"order": _text, "legacySortOptions": _mapping({"orderFirst": _texts, "orderLast": _texts})}
)
_FIELDS: dict[str, Check] = {
    "apiVersion": _text,
    "kind": _text,
    "metadata": _metadata,
    "resources": _texts,
    "bases": _texts,
    "components": _texts,
    "configurations": _texts,
    "namespace": _text,
    "namePrefix": _text,
    "nameSuffix": _text,
    "commonLabels": _pairs,
    "commonAnnotations": _pairs,
    "labels": _list(
        _mapping(
            {
                "pairs": _pairs,
                "includeSelectors": _boolean,
                "includeTemplates": _boolean,
                "fields": _specs,
            }
        )
    ),
    "patches": _patches,
    "patchesJson6902": _patches,
    "patchesStrategicMerge": _texts,
    "images": _list(_image),
    "imageTags": _list(_image),
    "replicas": _list(_replica),
    "configMapGenerator": _list(_mapping(_generator)),
    "secretGenerator": _list(_mapping({**_generator, "type": _text})),
    "generatorOptions": _options,
    "replacements": _list(_anything),
    "sortOptions": _sorting,
    "vars": _variables,
    "crds": _texts,
    "openapi": _mapping({"path": _text}),
    "generators": _texts,
    "transformers": _texts,
    "validators": _texts,
    "buildMetadata": _texts,
}

# Built-in plugins of kustomize 5.8.1 that we know, with the fields of their configuration.
_common: dict[str, Check] = {"apiVersion": _text, "kind": _text, "metadata": _metadata}
_affix: dict[str, Check] = {"fieldSpecs": _specs}
PLUGINS: dict[str, dict[str, Check]] = {
    "AnnotationsTransformer": {"annotations": _pairs, "fieldSpecs": _specs},
    "ConfigMapGenerator": {key: _generator[key] for key in _generator if key != "env"},
    "HashTransformer": {},
    "ImageTagTransformer": {"imageTag": _image, "fieldSpecs": _specs},
    "LabelTransformer": {"labels": _pairs, "fieldSpecs": _specs},
    "NamespaceTransformer": {"fieldSpecs": _specs, "unsetOnly": _boolean, "setRoleBindingSubjects": _text},
    "PatchJson6902Transformer": {"target": _target, "path": _text, "jsonOp": _text},
    "PatchStrategicMergeTransformer": {"paths": _texts, "patches": _text},
    "PatchTransformer": _patch,
    "PrefixSuffixTransformer": {"prefix": _text, "suffix": _text, **_affix},
    "PrefixTransformer": {"prefix": _text, **_affix},
    "ReplacementTransformer": {"replacements": _list(_anything)},
    "ReplicaCountTransformer": {"replica": _replica, "fieldSpecs": _specs},
    "SecretGenerator": {**{key: _generator[key] for key in _generator if key != "env"}, "type": _text},
    "SuffixTransformer": {"suffix": _text, **_affix},
}
_PLUGIN_CHECKS = {kind: _mapping({**_common, **fields}) for kind, fields in PLUGINS.items()}


def check_plugin(data: dict[str, Any], where: Location) -> None:
    """Decline the configuration of a transformer or generator that is not known to work alike here."""
    if data.get("apiVersion") != "builtin" or data["kind"] not in _PLUGIN_CHECKS:
        decline(f"{data.get('apiVersion')} {data['kind']} is left to kustomize", where)
    _PLUGIN_CHECKS[data["kind"]](data, where)


def refused_forms(data: dict[str, Any], where: Location) -> Declined | None:
    """The first field of a kustomization that kustomize refuses for its form, whatever else is not known here."""
    for key, value in data.items():
        try:
            if key not in _UNKNOWN and value is not None and key in _FIELDS:
                _FIELDS[key](value, where.at(key))
        except DeclinedError as declined:
            if declined.remedy is not None:
                return declined.at(where)
    return None


def check_forms(data: dict[str, Any], where: Location) -> None:
    """Decline a kustomization with a field, or a form of one, that is not known to build alike here."""
    if all(value in (None, "") for key, value in data.items() if key not in ("apiVersion", "kind")):
        decline("kustomize refuses an empty kustomization", where)
    for key, value in data.items():
        if value is None:
            if key not in _FIELDS and key not in _UNKNOWN:
                decline(f"kustomize has no field {key}", where.key_at(key))
            continue
        if key in _UNKNOWN:
            if value in ([], {}, ""):
                continue
            decline(f"{key} is left to kustomize", where.key_at(key))
        if key not in _FIELDS:
            refuse(
                f"kustomize has no field {key}",
                where.key_at(key),
                "correct its spelling, or remove it",
                said=f'unknown field "{re.escape(str(key))}"',
            )
        _FIELDS[key](value, where.at(key))
    kind = data.get("kind") or "Kustomization"
    if kind not in VERSIONS:
        decline(f"a kustomization of kind {kind}", where.at("kind"))
    if data.get("apiVersion") not in (None, "", VERSIONS[kind]):
        decline(f"{kind} of another version", where.at("apiVersion"))
