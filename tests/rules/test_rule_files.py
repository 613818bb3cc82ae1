"""What people write into rule files, and what we say when they slip."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gitops_layout import rules
from gitops_layout.errors import UserError
from gitops_layout.model import ObjectRef, Severity
from gitops_layout.repo.load import from_files
from gitops_layout.rules.examples import body, examples, with_console
from gitops_layout.rules.frontmatter import parse
from gitops_layout.rules.model import Rule, kind_matches

GOOD = """\
---
id: ACME001
name: owner-label
group: acme
severity: {recommended: {prod: error, nonprod: warning}}
scope: {kinds: [apps/*]}
assert: has(object.metadata.labels) && "owner" in object.metadata.labels
message: "{object.metadata.name} says nobody's name"
help: add the label
---
Why.

```yaml bad
a: 1 # expect: ACME001
```

```yaml good
a: 2
```

Two files:

```yaml good file=a.yaml
a: 3
```

```yaml good file=b.yaml
b: 4
```
"""
PATH = ".gitops-layout/rules/ACME001-owner-label.md"


ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"- \[[^\]]+\]\(([^)\s]+)\)")


def own(text: str, path: str = PATH) -> rules.Catalogue:
    return rules.load(from_files({path: text}))


def test_a_repository_brings_rules_beside_ours() -> None:
    rule = own(GOOD).by_id["ACME001"]
    assert not rule.builtin
    assert "V001" in own(GOOD).by_id
    assert rule.severity["minimal"] == {"prod": None, "nonprod": None}
    assert rule.severity["strict"] == {"prod": Severity.ERROR, "nonprod": Severity.WARNING}


def test_all_slips_of_all_files_are_named_together() -> None:
    bad = GOOD.replace("assert: has", "asert: has").replace("recommended: {", "recomended: {")
    repo = from_files({PATH: bad, ".gitops-layout/rules/x.md": "no front matter\n"})
    with pytest.raises(UserError) as caught:
        rules.load(repo)
    assert caught.value.message.splitlines() == [
        f'{PATH}:7:1: unknown key "asert" (did you mean "assert"?)',
        f"{PATH}:2:1: name exactly one of `assert`, `references` and `check`",
        f'{PATH}:5:12: unknown key "recomended" (did you mean "recommended"?)',
        ".gitops-layout/rules/x.md:1:1: a rule file starts with front matter between two `---` lines",
    ]
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("{object.metadata", "{objct.metadata", '8:10: message names {objct} (did you mean "object"?)'),
        ("nonprod: warning", "nonprod: warn", "5:48: severity.recommended.nonprod is 'warn'"),
        ("assert: has(object", "assert: has(objct", "7:1: assert: <input>:1:4: undeclared reference"),
        ("assert: has", "check: files.unparsable #", "7:1: a repository's rules are CEL or references"),
        ("id: ACME001", "id: V001", '2:5: the file must be called "V001-owner-label.md"'),
        ("group: acme", "principle: pushed", "4:12: principle is 'pushed'"),
        ("help: add", "fix: add", "9:6: fix must be a mapping"),
    ],
)
def test_a_slip_is_named_with_its_line(old: str, new: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        own(GOOD.replace(old, new))
    assert f"{PATH}:{words}" in caught.value.message


def test_an_id_or_name_cannot_be_taken_twice() -> None:
    text = GOOD.replace("owner-label", "image-mutable-tag")
    with pytest.raises(UserError, match=r"ACME001 image-mutable-tag is taken by rules/versioned/V001"):
        own(text, ".gitops-layout/rules/ACME001-image-mutable-tag.md")


def test_a_rule_without_enough_examples_is_refused() -> None:
    rule = parse(GOOD.split("```yaml good\n")[0], PATH, builtin=False)
    assert isinstance(rule, Rule)
    with pytest.raises(UserError, match="has 1 bad and 0 good examples"):
        examples(rule)


def test_fences_with_file_names_that_follow_one_another_are_one_example() -> None:
    found = examples(own(GOOD).by_id["ACME001"])
    assert [(example.bad, sorted(example.files)) for example in found] == [
        (True, ["manifest.yaml"]),
        (False, ["manifest.yaml"]),
        (False, ["a.yaml", "b.yaml"]),
    ]


def test_printed_output_is_added_once_and_then_replaced() -> None:
    rule = own(GOOD).by_id["ACME001"]
    once = with_console(rule, {0: "first\n"})
    again = parse(once, PATH, builtin=False)
    assert isinstance(again, Rule)
    assert examples(again)[0].console == "first\n"
    assert with_console(again, {0: "first\n"}) == once
    assert with_console(again, {0: "second\n"}) == once.replace("first", "second")


@pytest.mark.parametrize(
    ("pattern", "api_version", "kind", "matches"),
    [
        ("apps/*", "apps/v1", "Deployment", True),
        ("apps/v1/Deployment", "apps/v1", "Deployment", True),
        ("v1/Pod", "v1", "Pod", True),
        ("v1/Pod", "apps/v1", "Pod", False),
        ("kustomize.config.k8s.io/*", "kustomize.toolkit.fluxcd.io/v1", "Kustomization", False),
    ],
)
def test_kinds_are_globs_over_group_and_kind(
    pattern: str, api_version: str, kind: str, matches: bool
) -> None:
    assert kind_matches((pattern,), ObjectRef(api_version, kind, "", "")) is matches


@pytest.mark.parametrize("word", ["V001", "v001", "V", "versioned", "image-mutable-tag", "ALL"])
def test_a_rule_answers_to_its_id_prefix_name_and_group(word: str) -> None:
    assert "V001" in rules.builtin().select(word, "")


def test_a_misspelt_rule_is_named_with_its_neighbour() -> None:
    with pytest.raises(
        UserError,
        match=r'--select: no rule is called "image-mutable-tags" \(did you mean "image-mutable-tag"',
    ):
        rules.builtin().select("image-mutable-tags", "--select")


@pytest.mark.parametrize("rule", rules.builtin().rules, ids=lambda rule: rule.id)
def test_each_rule_file_ends_with_the_pages_on_which_it_rests(rule: Rule) -> None:
    lines = body(rule).rpartition("\n## References\n\n")[2].splitlines()
    links = [found[1] if (found := _LINK.fullmatch(line)) else "" for line in lines]
    assert 1 <= len(links) <= 3, "end with `## References` and a list of one to three links, one a line"
    assert len(set(links)) == len(links)
    for link, line in zip(links, lines, strict=True):
        # What only this project decides (its configuration, its tenants) is documented in this repository alone.
        here = (ROOT / rule.file).parent / link.partition("#")[0] if link.startswith("../../docs/") else None
        assert link.startswith("https://") or (here and here.is_file()), f"no page that exists: {line}"
