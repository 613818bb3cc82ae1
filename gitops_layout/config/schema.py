"""The schema of `.gitops-layout.yaml`. Imports pydantic: import it only where such a file exists."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic import model_validator as validates

from gitops_layout import config as light
from gitops_layout.errors import UserError
from gitops_layout.model import Location, Severity, Span, tier_by_name
from gitops_layout.source.document import Document
from gitops_layout.source.reader import read

if TYPE_CHECKING:
    from gitops_layout.model import Path

__all__ = ["config", "json_schema"]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Texts = Annotated[list[Text], BeforeValidator(_as_list, json_schema_input_type=Text | list[Text])]
Word = Literal["error", "warning", "info", "off"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class _PerTier(_Model):
    prod: Word
    nonprod: Word


def _both_tiers(value: Any) -> Any:
    return {"prod": value, "nonprod": value} if isinstance(value, str) else value


PerTier = Annotated[_PerTier, BeforeValidator(_both_tiers, json_schema_input_type=Word | _PerTier)]


class _Ignore(_Model):
    """Rules that stay silent for some files."""

    rules: Texts = Field(description="Rule ids, names, id prefixes, groups or principles.")
    paths: Texts = Field(["**"], description="Globs relative to the repository's root.")
    reason: Text = Field(description="Why; shown to whoever meets the ignore.")
    until: date | None = Field(None, description="Last day on which the ignore holds.")


class _Environment(_Model):
    """A stage of the repository."""

    name: Text
    tier: Literal["prod", "nonprod"] | None = Field(
        None, description="By default prod for prod, production, live and prd."
    )
    paths: Texts = Field([], description="Globs of the files that belong to it.")
    destinations: Texts = Field([], description="Globs of the clusters, by name or URL, that belong to it.")
    source: Text | None = Field(None, alias="from", description="The environment that it is promoted from.")


class _Cluster(_Model):
    """A cluster that the repository is delivered to."""

    name: Text
    environment: Text | None = None
    paths: Texts = Field([], description="Globs of the files that only this cluster reads.")
    server: Text | None = Field(None, description="URL of its API server, as Argo CD names it.")
    labels: dict[Text, str] = Field(
        {}, description="Labels of its Secret in Argo CD, which ApplicationSets select clusters by."
    )
    annotations: dict[Text, str] = Field({}, description="Annotations of its Secret in Argo CD.")
    kubernetes: Annotated[str, StringConstraints(pattern=r"^v?1\.[0-9]+(\.[0-9]+)?$")] | None = Field(
        None,
        description="Version of Kubernetes that it runs, in quotes: what is delivered to it is judged by that.",
    )


class _Source(_Model):
    """Another repository that lies on this machine."""

    url: Text = Field(description="Its URL as the agents' objects have it; * stands for any text.")
    checkout: Text = Field(
        description="Its folder, relative to this repository's root; outside of it only with --checkouts."
    )


class _External(_Model):
    """Something outside the repository, known and accepted as not looked at."""

    chart: Text | None = None
    base: Text | None = None
    source: Text | None = None
    kind: Text | None = None
    reason: Text

    @validates(mode="after")
    def _one_subject(self) -> _External:
        given = [name for name in ("chart", "base", "source", "kind") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("name exactly one of chart, base, source or kind")
        return self


class ConfigFile(_Model):
    """Configuration of gitops-layout for one repository."""

    model_config = ConfigDict(title="gitops-layout configuration")

    select: Texts | None = Field(None, description="Only these rules, whatever the profile says.")
    ignore: list[_Ignore] = []
    exclude: Texts = Field([], description="Globs of files about which nothing is reported.")
    profile: Literal["minimal", "recommended", "strict"] = "recommended"
    severity: dict[Text, PerTier] = Field({}, description="Rule selector to severity.")
    fail_on: Literal["error", "warning", "info"] = Field("error", alias="fail-on")
    rules: Texts = Field([], description="More folders of rule files, relative to the root.")
    baseline: Text | None = Field(None, description="By default .gitops-layout/baseline.json.")
    environments: list[_Environment] = []
    clusters: list[_Cluster] = []
    agent: Literal["flux", "argocd", "external"] | None = Field(
        None, description="external: the agent's objects live in another repository."
    )
    sources: Annotated[
        list[Text | _Source], BeforeValidator(_as_list, json_schema_input_type=Text | list[Text | _Source])
    ] = Field([], description="URLs of this repository; and where other repositories lie on this machine.")
    external: list[_External] = []


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors."""
    schema = ConfigFile.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def config(content: bytes | str, file: str) -> light.Config:
    """Validate a config file. Raises UserError that names every problem with its line."""
    # Typed as YAML 1.2: `off` is a severity here, not a truth value.
    stream = read(content, file, mode="kustomize")
    if stream.problems:
        problem = stream.problems[0]
        raise UserError(f"{file}:{problem.line}:{problem.column}: {problem.message}")
    if not stream.documents:
        return light.Config(file=file)
    if len(stream.documents) > 1:
        raise UserError(f"{file}: holds {len(stream.documents)} documents", "keep one")
    document = stream.documents[0]
    problems = [(twice.second, f"{_dotted(twice.path)} stands twice") for twice in document.duplicates]
    try:
        parsed = ConfigFile.model_validate(document.data)
    except ValidationError as error:
        problems += [_explain(document, detail) for detail in error.errors(include_url=False)]
        raise _refused(file, problems) from None
    if problems:
        raise _refused(file, problems)
    return _light(parsed, document)


def _order(problem: tuple[Span, str]) -> tuple[int, int, str]:
    span, words = problem
    return span.line, span.column, words


def _refused(file: str, problems: list[tuple[Span, str]]) -> UserError:
    lines = [f"{file}:{span.line}:{span.column}: {words}" for span, words in sorted(problems, key=_order)]
    return UserError(
        "\n".join(dict.fromkeys(lines)),
        "docs/linting.md tells every key; `gitops-layout lint --init` prints a file to begin with",
    )


def _explain(document: Document, detail: Any) -> tuple[Span, str]:
    """Where a problem stands, and the fact."""
    path = _existing(document, tuple(detail["loc"]))
    unknown = detail["type"] == "extra_forbidden"
    span = document.span(path, key=unknown)
    if unknown:
        return span, f'unknown key "{path[-1]}"{light.did_you_mean(str(path[-1]), _keys_at(path))}'
    if detail["type"] == "missing":
        return span, f"{_dotted(path) or 'this'} lacks `{detail['loc'][-1]}`"
    words = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "model_type":
        words = "input should be a mapping"  # and no name of a class of ours
    return span, f"{_dotted(path) or 'the file'}: {words[:1].lower()}{words[1:]}"


def _existing(document: Document, path: Path) -> Path:
    """The part of pydantic's path that the document has: unions add steps of their own."""
    kept: Path = ()
    for step in path:
        if document.has((*kept, step)):
            kept = (*kept, step)
    return kept


_NESTED: dict[str, type[BaseModel]] = {
    "ignore": _Ignore,
    "environments": _Environment,
    "clusters": _Cluster,
    "sources": _Source,
    "external": _External,
}


def _keys_at(path: Path) -> list[str]:
    model = ConfigFile if len(path) == 1 else _NESTED.get(str(path[0]), _PerTier)
    return [info.alias or name for name, info in model.model_fields.items()]


def _dotted(path: Path) -> str:
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path).removeprefix(".")


def _word(word: Word) -> Severity | None:
    return None if word == "off" else Severity(word)


def _light(parsed: ConfigFile, document: Document) -> light.Config:
    here = Location(document.file)
    severity: dict[str, dict[light.Tier, Severity | None]] = {
        name: {"prod": _word(words.prod), "nonprod": _word(words.nonprod)}
        for name, words in parsed.severity.items()
    }
    return light.Config(
        file=document.file,
        select=None if parsed.select is None else tuple(parsed.select),
        ignore=tuple(
            light.Ignore(tuple(i.rules), tuple(i.paths), i.reason, i.until, here.at("ignore", n))
            for n, i in enumerate(parsed.ignore)
        ),
        exclude=tuple(parsed.exclude),
        profile=parsed.profile,
        severity=severity,
        fail_on=Severity(parsed.fail_on),
        rules=tuple(parsed.rules),
        baseline=parsed.baseline,
        environments=tuple(
            light.Environment(
                e.name,
                e.tier or tier_by_name(e.name),
                tuple(e.paths),
                tuple(e.destinations),
                e.source,
                here.at("environments", n),
            )
            for n, e in enumerate(parsed.environments)
        ),
        clusters=tuple(
            light.Cluster(
                c.name,
                c.environment,
                tuple(c.paths),
                c.server,
                c.labels,
                c.annotations,
                c.kubernetes,
                here.at("clusters", n),
            )
            for n, c in enumerate(parsed.clusters)
        ),
        agent=parsed.agent,
        sources=tuple(source for source in parsed.sources if isinstance(source, str)),
        checkouts=tuple(
            light.Checkout(source.url, source.checkout, here.at("sources", n))
            for n, source in enumerate(parsed.sources)
            if isinstance(source, _Source)
        ),
        external=tuple(_external(e, here.at("external", n)) for n, e in enumerate(parsed.external)),
        document=document,
    )


def _external(entry: _External, location: Location) -> light.External:
    kinds: tuple[Literal["chart", "base", "source", "kind"], ...] = ("chart", "base", "source", "kind")
    kind = next(k for k in kinds if getattr(entry, k) is not None)
    return light.External(kind, getattr(entry, kind), entry.reason, location)
