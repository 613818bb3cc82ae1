"""What goes wrong in the user's hands, said so that the user can mend it."""

from __future__ import annotations

from gitops_layout.passwords import without_passwords

__all__ = ["UserError"]


class UserError(Exception):
    """A mistake in what the user gave us: the command line, a config, a spec or a rule.

    `message` states the fact and names file and line where there is one, `hint` offers the act.
    `exit_code` is the process's exit code: 2 unless the caller knows better.
    """

    def __init__(self, message: str, hint: str | None = None, *, exit_code: int = 2) -> None:
        super().__init__(without_passwords(message))
        self.message = without_passwords(message)
        self.hint = None if hint is None else without_passwords(hint)
        self.exit_code = exit_code

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  help: {self.hint}"
