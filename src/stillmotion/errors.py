"""Errors and warnings for users. Each message says what was received, what was expected and what to do."""


class UserError(Exception):
    """An error that the user can fix. The command prints its message and exits with code 2."""


class ContractError(UserError):
    """Data that do not match the expected signal (channels, rate, classes). The message names both."""


class UnknownName(UserError):
    """An unknown name. The message lists the valid ones and the closest match, and ends in a remedy if there is one."""

    def __init__(self, kind: str, name: str, valid: list[str], remedy: str = "") -> None:
        import difflib

        close = difflib.get_close_matches(name, valid, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        super().__init__(f"Unknown {kind} {name!r}.{hint} Valid: {', '.join(valid)}.{remedy and ' '}{remedy}")


class DataWarning(UserWarning):
    """A problem in the data that does not stop the work. The message gives counts."""


class ProposedMappingWarning(DataWarning):
    """A table was read with a proposed mapping because none was given. The message names it."""
