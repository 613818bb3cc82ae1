"""CustomResourceDefinitions and the structural schemas inside them.

Source: k8s.io/apiextensions-apiserver 0.36, pkg/apis/apiextensions/validation/validation.go and
pkg/apiserver/schema/validation.go (ValidateStructural).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gitops_layout.k8s import formats
from gitops_layout.validation.server.admission import client_config, review_versions
from gitops_layout.validation.server.checks import choice, distinct, named, one_of, option, required, valid
from gitops_layout.validation.server.crdrules import default, rules, selectable
from gitops_layout.validation.server.cursor import At, Refusal, Row, evaluate, shown
from gitops_layout.values import dataclass

__all__ = ["custom_resource_definition"]

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_SCHEMAS = 20_000
_APPROVED = "api-approved.kubernetes.io"
_JUNCTORS = ("allOf", "anyOf", "oneOf")
_UNSUPPORTED = (
    "$schema",
    "id",
    "additionalItems",
    "patternProperties",
    "definitions",
    "dependencies",
    "$ref",
)
_NOT_ROOT = (
    "default",
    "enum",
    *_JUNCTORS,
    "not",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-map-type",
    "maxProperties",
    "minProperties",
)
_NEVER = ("additionalItems", "dependencies", "$ref")
_NOT_NESTED = (
    "type",
    "default",
    "title",
    "description",
    "nullable",
    "additionalProperties",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
)
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


def _group(text: str) -> str | None:
    return formats.subdomain(text) or (None if "." in text else "must be a domain with at least one dot")


def _kind(text: str) -> str | None:
    return formats.dns1035(text.lower())


def _json_path(text: str) -> str | None:
    return None if text.startswith(".") else "must start with '.'"


_TABLE: tuple[Row, ...] = (
    ("validateCustomResourceDefinitionSpec", "spec!.group", named(_group)),
    ("validateCustomResourceDefinitionSpec", "spec!.scope", choice("Cluster", "Namespaced")),
    ("validateCustomResourceDefinitionSpec", "spec!.names!.plural", named(formats.dns1035)),
    ("ValidateCustomResourceDefinitionNames", "spec!.names!.kind", named(_kind)),
    ("ValidateCustomResourceDefinitionNames", "spec.names.singular", valid(formats.dns1035)),
    ("ValidateCustomResourceDefinitionNames", "spec.names.listKind", valid(_kind)),
    ("ValidateCustomResourceDefinitionNames", "spec.names.shortNames[]", named(formats.dns1035)),
    ("ValidateCustomResourceDefinitionNames", "spec.names.categories[]", named(formats.dns1035)),
    ("validateCustomResourceDefinitionSpec", "spec.versions[].name", named(formats.dns1035)),
    ("validateCustomResourceDefinitionSpec", "spec.versions", distinct("name")),
    ("requireOpenAPISchema", "spec.versions[].schema!.openAPIV3Schema", required),
    ("ValidateCustomResourceColumnDefinition", "spec.versions[].additionalPrinterColumns[].name", required),
    (
        "ValidateCustomResourceColumnDefinition",
        "spec.versions[].additionalPrinterColumns[].type",
        choice("boolean", "date", "integer", "number", "string"),
    ),
    (
        "ValidateCustomResourceColumnDefinition",
        "spec.versions[].additionalPrinterColumns[].format",
        one_of("int32", "int64", "float", "double", "byte", "date", "date-time", "password"),
    ),
    ("validateSimpleJSONPath", "spec.versions[].additionalPrinterColumns[].jsonPath", named(_json_path)),
    ("ValidateCustomResourceSelectableFields", "spec.versions[].selectableFields[].jsonPath", required),
    ("validateCustomResourceConversion", "spec.conversion.strategy", choice("None", "Webhook")),
)


def custom_resource_definition(at: At) -> Iterator[Refusal]:
    """ValidateCustomResourceDefinition."""
    yield from evaluate(_TABLE, at)
    spec = at["spec"]
    name, names = at["metadata"]["name"], spec["names"]
    expected = f"{names['plural'].text}.{spec['group'].text}"
    if name.text and name.text != expected:
        yield name.refuse(f"must be {shown(expected)}, plural and group of its spec")
    if names["kind"].text and names["kind"].text == names["listKind"].text:
        yield names["listKind"].refuse("must differ from kind")
    if spec["preserveUnknownFields"].is_true:
        yield spec["preserveUnknownFields"].refuse("must not be true")
    versions = [version for version in spec["versions"] if version.is_map]
    if sum(version["storage"].is_true for version in versions) != 1:
        yield spec["versions"].refuse("must have exactly one version with storage: true")
    yield from _approval(at)
    yield from _conversion(spec["conversion"])
    for version in versions:
        yield from _version(version)


def _approval(at: At) -> Iterator[Refusal]:
    """validateAPIApproval: groups of the Kubernetes project carry a link to their review."""
    group = at["spec"]["group"].text
    if group not in ("k8s.io", "kubernetes.io") and not group.endswith((".k8s.io", ".kubernetes.io")):
        return
    note = at["metadata"]["annotations"][_APPROVED]
    if not note.text.startswith("unapproved") and not re.match(r"https?://[^/]+", note.text):
        yield note.refuse(
            f"is required in the group {group}: a link to the API's approval, or 'unapproved, …'"
        )


def _conversion(at: At) -> Iterator[Refusal]:
    if at["strategy"].text == "Webhook":
        webhook = at["webhook"]
        if not webhook["clientConfig"].is_map:
            yield webhook["clientConfig"].refuse("is required with strategy Webhook")
        else:
            config = webhook["clientConfig"]
            # CRDs default the port of the service to 443.
            service = config["service"]
            if service.is_map and service["port"].value is None:
                config = At({**config.value, "service": {**service.value, "port": 443}}, config.path)
            yield from client_config(config)
        yield from review_versions(webhook["conversionReviewVersions"])
    elif at["webhook"].value is not None:
        yield at["webhook"].refuse("is for strategy Webhook only")


def _version(at: At) -> Iterator[Refusal]:
    warning = at["deprecationWarning"]
    if warning.value is not None and not at["deprecated"].is_true:
        yield warning.refuse("needs deprecated: true")
    elif warning.value == "" or len(warning.text) > 256 or not warning.text.isprintable():
        yield warning.refuse("must be 1 to 256 printable characters")
    scale = at["subresources"]["scale"]
    if scale.is_map:
        for name, prefixes in (
            ("specReplicasPath", (".spec.",)),
            ("statusReplicasPath", (".status.",)),
            ("labelSelectorPath", (".spec.", ".status.")),
        ):
            if name != "labelSelectorPath":
                yield from required(scale[name])
            if scale[name].text and not scale[name].text.startswith(prefixes):
                yield scale[name].refuse(f"must start with {' or '.join(prefixes)}")
    schema = at["schema"]["openAPIV3Schema"]
    if schema.is_map:
        yield from _root(schema, status=at["subresources"]["status"].value is not None)
        yield from _schemas(schema)
        yield from selectable(at["selectableFields"], schema)


def _root(schema: At, *, status: bool) -> Iterator[Refusal]:
    """What may stand at the root; less where the `status` is a subresource."""
    if schema["nullable"].is_true:
        yield schema["nullable"].refuse("must not be true at the root")
    if schema["additionalProperties"].value is not None:
        yield schema["additionalProperties"].refuse("must not be set at the root")
    if schema["type"].text not in ("", "object"):
        yield schema["type"].refuse("must be object at the root")
    for name in _NOT_ROOT if status else ():
        if not schema[name].empty or (name == "default" and schema[name].value is not None):
            yield schema[name].refuse("has no place at the root where the status is a subresource")


@dataclass(frozen=True, slots=True)
class _Place:
    """A schema and its surroundings: `nested` below a junctor, `root`, or `meta` of an object."""

    at: At
    nested: bool = False
    root: bool = False
    resource: bool = False
    skip: frozenset[str] = frozenset()


def _schemas(root: At) -> Iterator[Refusal]:
    """Every schema inside one, without recursion: they may be deep, and there may be many."""
    places = [_Place(root, root=True, resource=True)]
    count = 0
    while places and count < _SCHEMAS:
        place = places.pop()
        count += 1
        if not place.at.is_map:
            continue
        if not (place.nested or place.root) and _plain(place.at.value):
            yield from default(place.at)
            places += _inside(place.at)
            continue
        yield from _nested(place) if place.nested else _structural(place)
        yield from _shared(place.at, root=place.root)
        if not (place.nested or place.root):
            yield from default(place.at)
        places += _children(place)


_PLAIN = frozenset(
    "additionalProperties default description enum exclusiveMaximum exclusiveMinimum format items maxItems maxLength"
    " maximum minItems minLength minimum nullable properties required title type".split()
)


def _plain(schema: dict[str, Any]) -> bool:
    """Whether a schema, as most do, says nothing that `_structural` or `_shared` could refuse."""
    kind, items = schema.get("type"), schema.get("items")
    return (
        schema.keys() <= _PLAIN
        and isinstance(kind, str)
        and kind in _TYPES
        and (isinstance(items, dict) if kind == "array" else not isinstance(items, list))
        and not (schema.get("properties") and "additionalProperties" in schema)
    )


def _inside(at: At) -> Iterator[_Place]:
    for _, child in at["properties"].pairs:
        yield _Place(child)
    for name in ("items", "additionalProperties"):
        if at[name].is_map:
            yield _Place(at[name])


def _children(place: _Place) -> Iterator[_Place]:
    at, nested = place.at, place.nested
    embedded = at["x-kubernetes-embedded-resource"].is_true
    for name, child in at["properties"].pairs:
        meta = (place.root or embedded) and name == "metadata"
        yield _Place(child, nested, skip=frozenset({"metadata"}) if meta else frozenset())
    for name in ("items", "additionalProperties"):
        if at[name].is_map:
            yield _Place(at[name], nested)
    if at["not"].is_map:
        yield _Place(at["not"], nested=True)
    for name in _JUNCTORS:
        for index, child in enumerate(at[name]):
            # Two spellings of int-or-string are let through.
            if name == "anyOf" and at[name].value == _INT_OR_STRING and (not nested or "first" in place.skip):
                continue
            first = name == "allOf" and index == 0 and not nested
            yield _Place(child, nested=True, skip=frozenset({"first"}) if first else frozenset())


def _nested(place: _Place) -> Iterator[Refusal]:
    """validateNestedValueValidation: below a junctor only values are judged, nothing is defined."""
    at = place.at
    for name in _NOT_NESTED:
        value = at[name].value
        # CEL rules may stand below allOf.
        if value not in (None, "", False, []):
            yield at[name].refuse("has no place below allOf, anyOf, oneOf or not")
    if "metadata" in (at["properties"].value if at["properties"].is_map else ()):
        yield at["properties"]["metadata"].refuse("has no place below allOf, anyOf, oneOf or not")


def _structural(place: _Place) -> Iterator[Refusal]:
    """validateStructuralInvariants."""
    at = place.at
    kind = at["type"].text
    either = at["x-kubernetes-int-or-string"].is_true
    keep = at["x-kubernetes-preserve-unknown-fields"].is_true
    embedded = at["x-kubernetes-embedded-resource"].is_true
    if not kind and at["type"].empty and not either and not keep:
        yield at["type"].refuse("is required")
    if kind == "array" and not at["items"].is_map:
        yield at["items"].refuse("is required for an array, as one schema")
    if either and (keep or embedded):
        yield at["x-kubernetes-int-or-string"].refuse("excludes other extensions")
    if embedded and kind != "object":
        yield at["type"].refuse("must be object for an embedded resource")
    if embedded and at["additionalProperties"].value is not None:
        yield at["additionalProperties"].refuse("has no place in an embedded resource")
    if embedded and not keep and not at["properties"].value:
        yield at["properties"].refuse("is required for an embedded resource")
    if place.root or embedded:
        for name in ("kind", "apiVersion"):
            field = at["properties"][name]
            if field.is_map and field["type"].text != "string":
                yield field["type"].refuse("must be string")
        meta = at["properties"]["metadata"]
        if meta.is_map and meta["type"].text != "object":
            yield meta["type"].refuse("must be object")
    if place.root:
        yield from _root_metadata(at["properties"]["metadata"])


def _root_metadata(at: At) -> Iterator[Refusal]:
    """validateStructuralMetadataInvariants: metadata is implied; only the names can be narrowed."""
    allowed = {"name", "generateName"}
    if at.is_map and (
        set(at.value) - {"type", "properties", "description"} or not _keys(at["properties"]) <= allowed
    ):
        for key, value in at.pairs:
            if key not in ("type", "description") and not (key == "properties" and _keys(value) <= allowed):
                yield value.refuse("must not restrict metadata beyond name and generateName")
                return


def _keys(at: At) -> set[str]:
    return {key for key, _ in at.pairs}


def _shared(at: At, *, root: bool) -> Iterator[Refusal]:
    """ValidateCustomResourceDefinitionOpenAPISchema."""
    yield from one_of(*_TYPES)(at["type"])
    for name in _UNSUPPORTED:
        if not at[name].empty or (name in _NEVER and at[name].value is not None):
            yield at[name].refuse("is not supported")
    if at["uniqueItems"].is_true:
        yield at["uniqueItems"].refuse("must not be true; use x-kubernetes-list-type: set")
    if isinstance(at["items"].value, list):
        yield at["items"].refuse("must be one schema")
    extra = at["additionalProperties"]
    if extra.value is not None and extra.value is not True and at["properties"].value:
        yield extra.refuse("excludes properties")
    if at["x-kubernetes-preserve-unknown-fields"].value is False:
        yield at["x-kubernetes-preserve-unknown-fields"].refuse("must be true or absent")
    if at["x-kubernetes-map-type"].value is not None and at["type"].text != "object":
        yield at["x-kubernetes-map-type"].refuse("is for type object only")
    yield from option("atomic", "granular")(at["x-kubernetes-map-type"])
    yield from valid(formats.regex)(at["pattern"])
    yield from _list_type(at)
    yield from rules(at, root=root)


def _list_type(at: At) -> Iterator[Refusal]:
    kind, keys, items = at["x-kubernetes-list-type"], at["x-kubernetes-list-map-keys"], at["items"]
    yield from option("atomic", "set", "map")(kind)
    if kind.value is not None and at["type"].text != "array":
        yield kind.refuse("is for type array only")
    if keys and kind.text != "map":
        yield keys.refuse("needs x-kubernetes-list-type: map")
    if (
        kind.text == "set"
        and items["type"].text == "object"
        and items["x-kubernetes-map-type"].text != "atomic"
    ):
        yield kind.refuse("set needs atomic items")
    if kind.text in ("set", "map") and items["nullable"].is_true:
        yield items["nullable"].refuse(f"must not be true in a list of type {kind.text}")
    if kind.text != "map":
        return
    yield from required(keys)
    if items.is_map and items["type"].text != "object":
        yield items["type"].refuse("must be object in a list of type map")
    if len(set(keys.texts)) != len(keys.texts):
        yield keys.refuse("repeats a key")
    for key in keys:
        field = items["properties"][key.text]
        if not field.is_map:
            yield key.refuse(f"{shown(key.text)} is no property of the items")
        elif field["type"].text in ("array", "object"):
            yield field["type"].refuse("must be a scalar, as it is a key of the list")
        elif key.text not in items["required"].texts and field["default"].value is None:
            yield key.refuse(f"{shown(key.text)} must be required in the items or have a default")
