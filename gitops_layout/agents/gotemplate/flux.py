"""The functions that the Flux operator gives ResourceSet templates (v0.59: slim-sprig v3.0.0 and four of its own).

Slim-sprig is a fork of sprig: of its functions those that repeat themselves are offered, `set` and `dict` among
them, `merge` not. Its numbers are read more strictly than sprig's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gitops_layout.agents.gotemplate.builtins import BUILTINS
from gitops_layout.agents.gotemplate.encoding import yaml_text
from gitops_layout.agents.gotemplate.errors import FunctionError
from gitops_layout.agents.gotemplate.signature import Function
from gitops_layout.agents.gotemplate.sprig_data import DATA, UNSUPPORTED
from gitops_layout.agents.gotemplate.sprig_numbers import NUMBERS
from gitops_layout.agents.gotemplate.sprig_text import TEXT, lower
from gitops_layout.patterns import regexp

if TYPE_CHECKING:
    from gitops_layout.agents.gotemplate.evaluate import State

__all__ = ["FUNCTIONS", "NAMES", "slugify"]

_SLIM = """
add add1 adler32sum ago all any append atoi b32dec b32enc b64dec b64enc base biggest cat ceil chunk clean coalesce
compact concat contains deepEqual default dict dig dir div duration durationRound empty ext fail first float64 floor
fromJson get has hasKey hasPrefix hasSuffix hello indent initial int int64 isAbs join keys kindIs kindOf last list
lower max maxf min minf mod mul mustAppend mustChunk mustCompact mustDateModify mustFirst mustFromJson mustHas
mustInitial mustLast mustPrepend mustPush mustRegexFind mustRegexFindAll mustRegexMatch mustRegexReplaceAll
mustRegexReplaceAllLiteral mustRegexSplit mustRest mustReverse mustSlice mustToDate mustToJson mustToPrettyJson
mustToRawJson mustUniq mustWithout must_date_modify nindent omit osBase osClean osDir osExt osIsAbs pick pluck plural
prepend push quote randInt regexFind regexFindAll regexMatch regexQuoteMeta regexReplaceAll regexReplaceAllLiteral
regexSplit repeat replace rest reverse round seq set sha1sum sha256sum slice sortAlpha split splitList splitn squote
sub substr ternary title toDate toDecimal toJson toPrettyJson toRawJson toString toStrings trim trimAll trimPrefix
trimSuffix trimall trunc tuple typeIs typeIsLike typeOf uniq unixEpoch unset until untilStep upper urlJoin urlParse
values without
"""
_WHOLE = "add add1 biggest div int int64 max min mod mul sub"
_DECIMAL = regexp(r"[+-]?[0-9]{1,19}\Z")
_MAX_SLUG = 63


def _strict(value: Any) -> Any:
    """A text as Go's ParseInt reads it in base 10; sprig takes `0x10`, `010` for 8, and `1.0` as well."""
    if not isinstance(value, str):
        return value
    number = int(value) if _DECIMAL.match(value) else 0
    return number if -(2**63) <= number < 2**63 else 0


def _strictly(do: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values: do(*map(_strict, values))


def slugify(text: str) -> str:
    """A name of at most 63 characters, cut at a dash where there is one. Raises FunctionError beyond ASCII."""
    text = text.strip()
    if not text.isascii():
        raise FunctionError("letters beyond ASCII are not transcribed here", unsupported="slugify of them")
    text = text.replace('"', "").replace("'", "").replace("&", "and").replace("@", "at")
    slug = re.sub(r"-+", "-", re.sub(r"[^a-z0-9_-]", "-", lower(text))).strip("-_")
    if len(slug) <= _MAX_SLUG:
        return slug
    dash = slug.rfind("-", 0, _MAX_SLUG + 1)
    return slug[: dash if dash >= 0 else _MAX_SLUG]


def _inputs(state: State) -> Any:
    return state.inputs


def _to_yaml(value: Any) -> str:
    return f"{yaml_text(value)}\n"


_ALL = {**TEXT, **NUMBERS, **DATA, **UNSUPPORTED}

FUNCTIONS: dict[str, Function] = {
    **BUILTINS,
    **{name: _ALL[name] for name in _SLIM.split()},
    **{
        name: Function(_ALL[name].parameters, _strictly(_ALL[name].do), _ALL[name].cheap)
        for name in _WHOLE.split()
    },
    "slugify": Function("s", slugify),
    "toYaml": Function("a", _to_yaml),
    "mustToYaml": Function("a", _to_yaml),
    "inputs": Function("", _inputs, cheap=True, stateful=True),
}
NAMES = frozenset(FUNCTIONS)
