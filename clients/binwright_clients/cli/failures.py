"""Every failure as one message on standard error and an exit code; never a traceback.

::

    what happened                                   exit code
    wrong option, file, field or value              2
    server refuses the request as invalid           2
    server unreachable, deadline, solver failure    1
    anything we did not foresee                     1, BINWRIGHT_TRACEBACK=1 shows where
    Ctrl-C                                          130
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import click
from binwright_optimizer.errors import BinwrightError, CatalogError, InvalidProblemError

from binwright_clients.cli.exit_codes import BAD_INPUT, FAILED, INTERRUPTED
from binwright_clients.errors import InputError

TRACEBACK_VARIABLE = "BINWRIGHT_TRACEBACK"
"""Environment variable that lets unforeseen errors through, for a bug report."""


class Failure(click.ClickException):
    """A failure that the input is not to blame for."""

    exit_code = FAILED


class BadInput(click.ClickException):
    """A mistake in the command line or in a file."""

    exit_code = BAD_INPUT


class CommandGroup(click.Group):
    """A group that turns whatever its commands raise into a message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see the table at the top of the module."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise  # the reader of our output went away; click ends quietly
            if os.environ.get(TRACEBACK_VARIABLE):
                raise
            raise explained(error) from error


@contextlib.contextmanager
def located(locate: Callable[[str], str]) -> Iterator[None]:
    """Let the violations of a request name the option or the place in a file, not the field path."""
    try:
        yield
    except InvalidProblemError as error:
        violations = [replace(violation, field=locate(violation.field)) for violation in error.violations]
        raise BadInput("\n".join(str(violation) for violation in violations)) from error


def explained(error: Exception) -> click.ClickException:
    """The error as a message and an exit code."""
    if isinstance(error, (InputError, InvalidProblemError, CatalogError)):
        return BadInput(str(error))
    if isinstance(error, BinwrightError):
        return Failure(str(error))
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("binwright"):
        return Failure(
            f"this needs the Python package {error.name.partition('.')[0]!r}, which is not installed; "
            "pip install 'binwright[all]' brings everything"
        )
    if isinstance(error, MemoryError):
        return Failure("out of memory")
    if isinstance(error, OSError):
        return Failure(str(error))
    return Failure(
        f"internal error: {type(error).__name__}: {error}\n"
        f"This is a bug in binwright; {TRACEBACK_VARIABLE}=1 shows where."
    )
