"""Which schema judges a kind: CRDs of the repository, schema locations, and what is packed, in this order."""

from __future__ import annotations

import json
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from gitops_layout.k8s.strfmt import DECODERS, FORMATS
from gitops_layout.patterns import regexp
from gitops_layout.validation import bundle
from gitops_layout.validation.crds import Crd, SchemaError, json_schema, metadata_schema, spoken
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gitops_layout.model import Location, ObjectRef, Path
    from gitops_layout.validation.crds import Spoken

__all__ = ["FIELDS", "Broken", "Known", "Schemas", "closed", "expand"]

_JOINED = regexp(r'"(allOf|anyOf|oneOf|not|maxProperties)"')
FIELDS = (
    "NormalizedKubernetesVersion",
    "StrictSuffix",
    "ResourceKind",
    "ResourceAPIVersion",
    "Group",
    "KindSuffix",
)
"""What kubeconform's templates may name."""
_FIELD = regexp(r"\{\{\s*\.(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Known:
    """A kind's schema, ready: `document` is the JSON Schema that `validator` (of jsonschema-rs) was made of.

    `built_in` says that it is one of Kubernetes' own. `structural` and its `definitions` are the CRD's own words, None for kinds that no CRD defines. `release` names
    the project and version that a packed CRD is of: a cluster may run a newer one. `formed` says that CEL sees some of its texts
    as something else. `rules` says where CEL rules
    and list keys stand, None where a default that is filled in could change what else the schema says.
    """

    document: dict[str, Any]
    validator: Any
    structural: dict[str, Any] | None = None
    definitions: dict[int, dict[str, Any]] = field(default_factory=dict)
    drops_status: bool = False
    ruled: bool = False
    formed: bool = False
    release: str = ""
    built_in: bool = False
    rules: Spoken = None


@dataclass(frozen=True, slots=True)
class Broken:
    """A schema that cannot be used: whose it is, why, and where it stands."""

    name: str
    why: str
    location: Location | None = None


class Schemas:
    """Looks schemas up and keeps what it has compiled; one for a run.

    `crds` are the repository's with their places, those given besides without. `locations` are path
    templates as kubeconform has them, read with `read` (None: no such file).
    """

    def __init__(
        self,
        crds: Iterable[tuple[Crd, Location | None]] = (),
        *,
        locations: Sequence[str] = (),
        read: Callable[[str], bytes | None] = lambda _path: None,
    ) -> None:
        self.broken: dict[tuple[str, Location | None], Broken] = {}
        self._crds: dict[tuple[str, str, str], list[tuple[Crd, Location | None]]] = {}
        for crd, place in crds:
            self._crds.setdefault((crd.group, crd.version, crd.kind), []).append((crd, place))
        self._locations = tuple(locations)
        self._read = read
        self._found: dict[tuple[str, str, str], tuple[Known, ...]] = {}
        self._compiled: dict[object, Known | None] = {}

    def find(self, ref: ObjectRef, *, kubernetes: str) -> tuple[Known, ...]:
        """The schemas of a kind, of which an object has to fit one; empty where there is none."""
        key = (ref.api_version, ref.kind, kubernetes)
        if key not in self._found:
            group, _, version = ref.api_version.rpartition("/")
            self._found[key] = tuple(self._look_up(group, version, ref.kind, kubernetes))
        return self._found[key]

    def rule_at(self, ref: ObjectRef, rule: str) -> Location | None:
        """Where a definition of the repository says a rule in CEL; None for rules from elsewhere."""
        group, _, version = ref.api_version.rpartition("/")
        for crd, place in self._crds.get((group, version, ref.kind), ()):
            path = _rule_path(crd.schema, rule) if place is not None else None
            if place is not None and path is not None:
                return place.at(*crd.path, *path)
        return None

    def _look_up(self, group: str, version: str, kind: str, kubernetes: str) -> Iterator[Known]:
        own = self._crds.get((group, version, kind), ())
        if own:
            texts = {_text(crd.schema): (crd, place) for crd, place in own}
            for text, (crd, place) in texts.items():
                known = self._compile(text, f"{group}/{kind}", place, partial(_of_crd, crd))
                if known is not None:
                    yield known
            return
        for template in self._locations:
            path = expand(template, (group, version, kind), kubernetes=kubernetes)
            content = self._read(path)
            if content is not None:
                known = self._compile(path, f"{group}/{kind}", None, partial(_of_file, content))
                yield from (known,) if known is not None else ()
                return
        packed = bundle.find(group, version, kind, kubernetes=kubernetes)
        if packed is not None:
            known = self._compile(packed.key, f"{group}/{kind}", None, partial(_of_pack_once, packed))
            yield from (known,) if known is not None else ()

    def _compile(
        self, key: object, name: str, place: Location | None, make: Callable[[], Known]
    ) -> Known | None:
        if key not in self._compiled:
            try:
                self._compiled[key] = make()
            except SchemaError as error:
                self._compiled[key] = None
                where = f" ({key})" if isinstance(key, str) and place is None else ""
                self.broken.setdefault((name, place), Broken(name, f"its schema {error}{where}", place))
        return self._compiled[key]


def expand(template: str, kind: tuple[str, str, str], *, kubernetes: str) -> str:
    """The path of (group, version, kind) by kubeconform's template; what does not end in `json` is a folder of its layout."""
    group, version, name = kind
    if not template.endswith("json"):
        template = (
            template.rstrip("/")
            + "/{{ .NormalizedKubernetesVersion }}-standalone{{ .StrictSuffix }}/{{ .ResourceKind }}{{ .KindSuffix }}.json"
        )
    first = group.partition(".")[0]
    suffix = f"-{first}-{version}" if group else f"-{version}"
    # Of the core's kinds kubeconform makes the version the group.
    values = (f"v{kubernetes}.0", "-strict", name.lower(), version, group or version, suffix)
    words = dict(zip(FIELDS, values, strict=True))
    return _FIELD.sub(lambda match: _harmless(words.get(match[1], match[0])), template)


def _rule_path(node: Any, rule: str) -> Path | None:
    """The path of a rule with this text below a schema that was compiled, and so is not too deep."""
    if not isinstance(node, dict | list):
        return None
    for key, below in node.items() if isinstance(node, dict) else enumerate(node):
        if key == "rule" and below == rule:
            return (key,)
        path = _rule_path(below, rule)
        if path is not None:
            return (key, *path)
    return None


def _text(schema: dict[str, Any]) -> str:
    """Equal for equal schemas; one that is too deep to be written down is like no other."""
    try:
        return json.dumps(schema, sort_keys=True)
    except (RecursionError, TypeError):
        return f"schema {id(schema)}"


def _harmless(word: str) -> str:
    """An object's own words must not climb out of the folder that the user named."""
    return word.replace("/", "_").replace("\\", "_").replace("..", "_")


def _of_crd(crd: Crd) -> Known:
    return _custom(crd.schema, {}, drops_status=crd.drops_status, references=False)


_packs: dict[object, Known] = {}
"""What is packed is the same for every run of this process, and a run may judge two graphs."""


def _of_pack_once(packed: bundle.Packed) -> Known:
    if packed.key not in _packs:
        _packs[packed.key] = _of_pack(packed)
    return _packs[packed.key]


def _of_pack(packed: bundle.Packed) -> Known:
    if packed.structural:
        root = packed.definitions[packed.root]
        known = _custom(root, packed.definitions, drops_status=packed.drops_status, references=True)
        return replace(known, release=packed.release)
    defs = {str(number): schema for number, schema in packed.definitions.items()}
    document = {"$ref": f"#/$defs/{packed.root}", "$defs": defs}
    return Known(document, _validator(document), built_in=True)


def _of_file(content: bytes) -> Known:
    try:
        document = json.loads(content)
    except ValueError as error:
        raise SchemaError(f"is no JSON: {error}") from None
    except RecursionError:
        raise SchemaError("is nested too deeply") from None
    if not isinstance(document, dict):
        raise SchemaError("is no JSON object")
    try:
        empty = _goes_round(document)
    except RecursionError:
        raise SchemaError("is nested too deeply") from None
    if empty:
        raise SchemaError("refers to itself and says nothing")
    document = {key: value for key, value in document.items() if key not in ("$schema", "$id", "id")}
    return Known(document, _validator(document))


def _goes_round(document: dict[str, Any]) -> bool:
    """Whether a value is judged by a definition that judges the same value again, by references and combinations."""
    above: list[Any] = []
    sound: set[int] = set()

    def round_about(node: Any) -> bool:
        if not isinstance(node, dict) or id(node) in sound:
            return False
        if any(node is one for one in above):
            return True
        above.append(node)
        found = any(round_about(part) for part in _of_same_value(node, document))
        above.pop()
        sound.add(id(node))
        return found

    return round_about(document)


def _of_same_value(node: dict[str, Any], document: dict[str, Any]) -> Iterator[Any]:
    """The schemas that a schema has the very same value judged by."""
    ref = node.get("$ref")
    if isinstance(ref, str) and ref.startswith("#"):
        target: Any = document
        for part in ref[2:].split("/") if ref != "#" else ():
            target = (
                target.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
            )
        yield target
    for word in ("allOf", "anyOf", "oneOf"):
        yield from found if isinstance(found := node.get(word), list) else ()
    yield from (node.get(word) for word in ("not", "if", "then", "else"))


def _custom(
    schema: dict[str, Any], definitions: dict[int, dict[str, Any]], *, drops_status: bool, references: bool
) -> Known:
    root = json_schema(schema, resource=True, references=references)
    defs = {str(n): json_schema(below, references=references) for n, below in definitions.items()}
    document = {**root, "$defs": {**defs, "metadata": metadata_schema()}}
    text = json.dumps([schema, list(definitions.values())])
    ruled = '"x-kubernetes-validations"' in text or '"x-kubernetes-list-map-keys"' in text
    rules = None if _JOINED.search(text) else spoken(schema, definitions)
    formed = ruled and ('"number"' in text or any(f'"format": "{name}"' in text for name in DECODERS))
    return Known(
        document, _validator(document), schema, definitions, drops_status, ruled, formed, rules=rules
    )


def closed(schema: dict[str, Any]) -> Any:
    """A validator of jsonschema-rs for the values of a part of a structural schema. Raises SchemaError."""
    return _validator({**json_schema(schema), "$defs": {"metadata": metadata_schema()}})


def _validator(document: dict[str, Any]) -> Any:
    """Compile, with patterns of linear time (as Go's are) and without a way to the network."""
    import jsonschema_rs

    try:
        return jsonschema_rs.Draft202012Validator(
            document,
            formats=FORMATS,
            validate_formats=True,
            pattern_options=jsonschema_rs.RegexOptions(),
            offline=True,
        )
    except RecursionError:
        raise SchemaError("is nested too deeply") from None
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        words = str(error).split("\n", 1)[0]
        raise SchemaError(f"cannot be compiled: {words[:300]}") from None
