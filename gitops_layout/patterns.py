"""Regular expressions that are compiled when they are first used: most runs need few of the three hundred."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, AnyStr

__all__ = ["regexp"]


class _Pattern:
    """Becomes, attribute by attribute, what `re.compile` makes of the same words."""

    def __init__(self, text: str | bytes, flags: int) -> None:
        self._words = (text, flags)

    def __getattr__(self, name: str) -> Any:
        compiled = self.__dict__.get("_compiled")
        if compiled is None:
            compiled = self.__dict__["_compiled"] = re.compile(*self.__dict__["_words"])
        found = self.__dict__[name] = getattr(compiled, name)
        return found


if TYPE_CHECKING:

    def regexp(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
        """As `re.compile`; what is wrong with the text shows at its first use."""
else:

    def regexp(text, flags=0):
        return _Pattern(text, flags)
