"""CustomResourceDefinitions: from a structural schema to JSON Schema, defaults, and rules in CEL.

The API server fills in defaults, drops nulls that a field does not take, refuses what the schema does not
name, and only then judges values (apiextensions-apiserver, `pkg/apiserver/schema`, and the Kubernetes
documentation of CustomResourceDefinitions).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from gitops_layout.k8s.strfmt import DECODERS, FORMATS
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitops_layout.model import Path

__all__ = [
    "Crd",
    "Mark",
    "SchemaError",
    "crds",
    "filled",
    "json_schema",
    "marks",
    "metadata_schema",
    "speaks",
    "spoken",
]

_COPIED = (
    "enum", "maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties", "multipleOf", "pattern",
    "required", "uniqueItems",
)  # fmt: skip
_JUNCTORS = ("allOf", "anyOf", "oneOf")
_LIMITS = (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum"))
_WIDTHS = {"int32": 31, "int64": 63}
MAX_NODES = 100_000
"""Nodes of a schema; the largest CRD known to us has 25,000."""


class SchemaError(Exception):
    """A schema that cannot be used, in words that follow its name."""


@dataclass(frozen=True, slots=True)
class Crd:
    """One served version of a CustomResourceDefinition: its structural schema, which stands at `path` in it."""

    group: str
    version: str
    kind: str
    schema: dict[str, Any]
    drops_status: bool
    path: Path = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A value that a schema has more to say of than JSON Schema can: CEL rules, or keys of a list."""

    path: Path
    value: Any
    rules: tuple[dict[str, Any], ...]
    keys: tuple[str, ...] = ()


def crds(data: Mapping[str, Any]) -> Iterator[Crd]:
    """The served versions of a CustomResourceDefinition object; nothing for what is malformed.

    `v1beta1` objects, which no API server takes any more, have no versions of that shape.
    """
    match data.get("spec"):
        case {"group": str(group), "names": {"kind": str(kind)}, "versions": list(versions)}:
            for number, version in enumerate(versions):
                match version:
                    case {"name": str(name), "schema": {"openAPIV3Schema": dict(schema)}} if version.get(
                        "served", True
                    ):
                        status = isinstance(version.get("subresources"), dict)
                        drops = status and "status" in version["subresources"]
                        path = ("spec", "versions", number, "schema", "openAPIV3Schema")
                        yield Crd(group, name, kind, schema, drops, path)


def metadata_schema() -> dict[str, Any]:
    """JSON Schema of `metadata` (meta/v1 ObjectMeta), closed."""
    text: dict[str, Any] = {"type": ["string", "null"]}
    moment = {**text, "format": "date-time"}
    name, flag = {"type": "string"}, {"type": ["boolean", "null"]}
    texts = {"type": ["object", "null"], "additionalProperties": text}
    owner = {
        "type": "object",
        "properties": {
            **dict.fromkeys(("apiVersion", "kind", "name", "uid"), name),
            **dict.fromkeys(("controller", "blockOwnerDeletion"), flag),
        },
        "required": ["apiVersion", "kind", "name", "uid"],
        "additionalProperties": False,
    }
    count = {"type": ["integer", "null"]}
    return {
        "type": ["object", "null"],
        "properties": {
            **dict.fromkeys(
                ("name", "generateName", "namespace", "resourceVersion", "selfLink", "uid"), text
            ),
            **dict.fromkeys(("labels", "annotations"), texts),
            **dict.fromkeys(("creationTimestamp", "deletionTimestamp"), moment),
            **dict.fromkeys(("generation", "deletionGracePeriodSeconds"), count),
            "finalizers": {"type": ["array", "null"], "items": {"type": "string"}},
            "ownerReferences": {"type": ["array", "null"], "items": owner},
            "managedFields": {"type": ["array", "null"]},
        },
        "additionalProperties": False,
    }


def json_schema(schema: Any, *, resource: bool = False, references: bool = False) -> dict[str, Any]:
    """Structural schema → closed JSON Schema.

    `resource`: it is a whole object, with apiVersion, kind and metadata. `references`: `$ref` stands for a
    definition of ours; in anybody's CRD it is refused. Raises SchemaError.
    """
    budget = [MAX_NODES]
    try:
        return _structural(schema, budget, references=references, resource=resource)
    except RecursionError:
        raise SchemaError("is nested too deeply") from None
    except (TypeError, ValueError, AttributeError, KeyError):
        raise SchemaError("is malformed: some keyword has a value of another type than it takes") from None


def _structural(node: Any, budget: list[int], *, references: bool, resource: bool = False) -> dict[str, Any]:
    _spend(node, budget)
    if "$ref" in node and not resource:
        if not references:
            raise SchemaError("uses $ref, which the API server refuses in a CRD")
        return {"$ref": node["$ref"]}
    out = _values(node, budget)
    if types := _types(node):
        out["type"] = types
    if "items" in node:
        out["items"] = _structural(node["items"], budget, references=references)
    properties = {
        name: _structural(below, budget, references=references)
        for name, below in (node.get("properties") or {}).items()
    }
    resource = resource or bool(node.get("x-kubernetes-embedded-resource"))
    if resource:
        text = {"type": "string"}
        properties |= {"apiVersion": text, "kind": text, "metadata": {"$ref": "#/$defs/metadata"}}
        out["required"] = sorted({*out.get("required", ()), "apiVersion", "kind"} - {"metadata"})
    if properties:
        out["properties"] = properties
    more = node.get("additionalProperties")
    if isinstance(more, dict):
        out["additionalProperties"] = _structural(more, budget, references=references)
    elif not (more or node.get("x-kubernetes-preserve-unknown-fields")) and (
        resource or node.get("type") == "object"
    ):
        out["additionalProperties"] = False
    return out


def _spend(node: Any, budget: list[int]) -> None:
    if not isinstance(node, dict):
        raise SchemaError(f"has {type(node).__name__} where a schema is wanted")
    budget[0] -= 1
    if budget[0] < 0:
        raise SchemaError(f"has more than {MAX_NODES} nodes")


def _types(node: dict[str, Any]) -> list[str]:
    types = ["integer", "string"] if node.get("x-kubernetes-int-or-string") else [node.get("type")]
    named = [name for name in types if isinstance(name, str) and name]
    return [*named, "null"] if named and node.get("nullable") else named


def _values(node: dict[str, Any], budget: list[int]) -> dict[str, Any]:
    """What a schema says of values and not of structure."""
    out = {key: node[key] for key in _COPIED if key in node}
    if node.get("nullable") and "enum" in out:
        out["enum"] = [*out["enum"], None]
    for limit, exclusive in _LIMITS:
        if limit in node:
            out[exclusive if node.get(exclusive) is True else limit] = node[limit]
    if node.get("format") in FORMATS:
        out["format"] = "base64" if node["format"] == "byte" else node["format"]
    if node.get("type") == "integer" or node.get("x-kubernetes-int-or-string"):
        _bound(out, _WIDTHS.get(str(node.get("format")), 63))
    if node.get("x-kubernetes-list-type") == "set":
        out["uniqueItems"] = True
    for junctor in _JUNCTORS:
        if junctor in node:
            out[junctor] = [_judging(below, budget) for below in node[junctor]]
    if "not" in node:
        out["not"] = _judging(node["not"], budget)
    return out


def _bound(out: dict[str, Any], width: int) -> None:
    """The server holds integers in 32 or 64 bits."""
    if "exclusiveMinimum" not in out:
        out.setdefault("minimum", -(2**width))
    if "exclusiveMaximum" not in out:
        out.setdefault("maximum", 2**width - 1)


def _judging(node: Any, budget: list[int]) -> dict[str, Any]:
    """A schema inside a junctor: it judges values, and closes nothing."""
    _spend(node, budget)
    out = _values(node, budget)
    if types := _types(node):
        out["type"] = types
    if "items" in node:
        out["items"] = _judging(node["items"], budget)
    if isinstance(node.get("additionalProperties"), dict):
        out["additionalProperties"] = _judging(node["additionalProperties"], budget)
    if "properties" in node:
        out["properties"] = {name: _judging(below, budget) for name, below in node["properties"].items()}
    return out


def filled(
    value: Any, schema: dict[str, Any], definitions: Mapping[int, dict[str, Any]], *, apply: bool = False
) -> Any:
    """A copy of `value` with defaults, and without the nulls that the server drops.

    A create drops every null that the schema does not take; an apply only those that a default replaces.
    """
    schema = _resolved(schema, definitions)
    if isinstance(value, list):
        items = schema.get("items")
        if not isinstance(items, dict):
            return value
        return [filled(item, items, definitions, apply=apply) for item in value]
    if not isinstance(value, dict):
        return value
    properties = schema.get("properties") or {}
    more = schema.get("additionalProperties")
    out = {}
    for key, item in value.items():
        below = properties.get(key, more if isinstance(more, dict) else None)
        if below is None:
            out[key] = item
            continue
        node = _resolved(below, definitions)
        if item is not None or node.get("nullable") or (apply and "default" not in node):
            out[key] = filled(item, below, definitions, apply=apply)
    for key, below in properties.items():
        node = _resolved(below, definitions)
        if key not in out and "default" in node:
            out[key] = filled(node["default"], node, definitions, apply=apply)
    return out


def marks(
    value: Any, schema: dict[str, Any], definitions: Mapping[int, dict[str, Any]], path: Path = ()
) -> Iterator[Mark]:
    """The values below `value` that CEL rules or list keys speak of, outermost first."""
    schema = _resolved(schema, definitions)
    rules = schema.get("x-kubernetes-validations")
    keys = schema.get("x-kubernetes-list-map-keys") if isinstance(value, list) else None
    if rules or keys:
        named = tuple(rule for rule in rules or () if isinstance(rule, dict))
        yield Mark(path, value, named, tuple(keys or ()))
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
        more = schema.get("additionalProperties")
        for key, item in value.items():
            below = properties.get(key, more)
            if isinstance(below, dict) and isinstance(item, dict | list | str | int | float):
                yield from marks(item, below, definitions, (*path, key))
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for number, item in enumerate(value):
            yield from marks(item, schema["items"], definitions, (*path, number))


def decoded(value: Any, schema: dict[str, Any], definitions: Mapping[int, dict[str, Any]]) -> Any:
    """A value as CEL rules see it: a text of the format `byte` as bytes, a `number` as such.

    Texts with a time stay texts, which rules then cannot be judged by: our engine takes neither points nor spans of time.
    """
    schema = _resolved(schema, definitions)
    match value:
        case dict():
            properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
            made = {}
            for key, item in value.items():
                below = properties.get(key, more)
                made[key] = decoded(item, below, definitions) if isinstance(below, dict) else item
            return made
        case list() if isinstance(items := schema.get("items"), dict):
            return [decoded(item, items, definitions) for item in value]
        case int() if schema.get("type") == "number" and not isinstance(value, bool):
            return float(value)
        case str() if decode := DECODERS.get(str(schema.get("format"))):
            return decode(value)
    return value


Spoken = dict[str, "Spoken"] | Literal[True] | None
"""Where a schema has rules or list keys: True here, else by field below; `*` is any item or other field."""


def spoken(
    schema: dict[str, Any], definitions: Mapping[int, dict[str, Any]], above: frozenset[int] = frozenset()
) -> Spoken:
    """The places that `marks` may find, as `speaks` asks for them; a field that is filled in counts as there."""
    schema = _resolved(schema, definitions)
    if (
        id(schema) in above
        or schema.get("x-kubernetes-validations")
        or schema.get("x-kubernetes-list-map-keys")
    ):
        return True
    found: dict[str, Spoken] = {}
    fields = dict(schema.get("properties") or {})
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            fields["*"] = schema[key]
    for name, below in fields.items():
        inner = spoken(below, definitions, above | {id(schema)})
        if inner is not None:
            if name != "*" and "default" in _resolved(below, definitions):
                return True
            found[name] = inner
    return found or None


def speaks(value: Any, places: Spoken) -> bool:
    """Whether `marks` could find anything in a value, defaults included."""
    if places is True or not places:
        return places is True
    rest = places.get("*")
    if isinstance(value, dict):
        if rest is not None and any(key not in places and speaks(item, rest) for key, item in value.items()):
            return True
        return any(
            item is not None and speaks(item, below)
            for name, below in places.items()
            if (item := value.get(name)) is not None
        )
    return rest is not None and isinstance(value, list) and any(speaks(item, rest) for item in value)


def _resolved(schema: dict[str, Any], definitions: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    ref = schema.get("$ref")
    return definitions[int(ref.rpartition("/")[2])] if isinstance(ref, str) else schema
