"""Errors that a user can cause: one sentence that names the place and what to do."""


class UserError(Exception):
    """Something the user can mend. The command prints it as one sentence and ends with code 2."""


class ContractError(UserError):
    """Data that does not fit a signal contract. The message names both sides."""


class UnknownName(UserError):
    """A name that no list knows. The message holds the valid ones."""

    def __init__(self, kind: str, name: str, valid: list[str]) -> None:
        import difflib

        close = difflib.get_close_matches(name, valid, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        super().__init__(f"Unknown {kind} {name!r}.{hint} Valid: {', '.join(valid)}.")


class DataWarning(UserWarning):
    """Something odd in the data that does not stop the work; the message holds counts."""


class ProposedMappingWarning(DataWarning):
    """A table was read by a mapping that was proposed and not given; the message says which."""
