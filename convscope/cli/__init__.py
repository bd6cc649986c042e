"""The command line: ``convscope VERB``. One file per group of verbs, listed in :mod:`.verbs`.

Torch is imported only by verbs that need it.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 bad or missing data, 130 interrupted with the work saved (129 and 143
where a closed terminal or SIGTERM asked for it).
"""

import errno
import os
import sys
import warnings
from contextlib import nullcontext, suppress
from typing import NoReturn

import typer

from .. import __version__
from ..distributed import voice
from ..errors import ConvscopeError
from ..language import verbatim
from ..language.help import speak
from ..language.stream import spoken
from ..storage.cores import tell_libraries
from . import streams, verbs
from .options import Verbs
from .terminal import check_language, fail, note

COMPLETE = "_CONVSCOPE_COMPLETE"  # how a shell asks for what the Tab key offers
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # of a write to no file of ours: to stdout


def _man(context: typer.Context, wanted: bool) -> None:
    if wanted:
        from .shell import man

        page = man.page(context)
        with verbatim():  # it is said in the chosen language already
            print(page, end="")
        raise typer.Exit


def _version(wanted: bool) -> None:
    if wanted:
        print(f"convscope {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: bool = typer.Option(  # noqa: ARG001 - its callback does it
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
    manual: bool = typer.Option(  # noqa: ARG001 - as above
        False, "--man", callback=_man, is_eager=True, help="Print the manual page: convscope --man | man -l -"
    ),
) -> None:
    voice.check(context.invoked_subcommand)


def application(wanted: str | None = None) -> typer.Typer:
    """The command line with the verb ``wanted``, or with all verbs."""
    app = typer.Typer(
        name="convscope",
        cls=Verbs,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help, in half the time
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Train convolutional networks as fast as your machine allows, and see through them.",
        callback=_root,
    )
    verbs.register(app, wanted)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code. Errors of the project end as text on stderr."""
    warnings.filterwarnings("ignore", message="Using padding='same' with even kernel")  # torch, of its own speed
    streams.prepare()
    voice.calm()
    with nullcontext() if COMPLETE in os.environ else spoken():  # a shell gets words to type: they are what they are
        _main(arguments)


def _main(arguments: list[str] | None) -> None:
    try:
        try:
            check_language()
            if os.environ.get(COMPLETE, "").startswith("complete_"):
                os.environ["COLUMNS"] = "9999"  # Typer wraps what is said of a candidate; shells take a line for one
            given = sys.argv[1:] if arguments is None else arguments
            wanted = given[0] if given and COMPLETE not in os.environ else None
            speak(typer.main.get_command(application(wanted)))(arguments, complete_var=COMPLETE)
        finally:
            sys.stdout.flush()
            if lost := streams.lost_characters():
                note(lost)
    except ConvscopeError as error:
        voice.speak_for(error)
        with suppress(OSError):  # the terminal may have closed, which is why we end
            fail(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output went away, as in `convscope runs | head`
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        if error.filename is not None or error.errno not in UNWRITABLE:
            raise
        fail(ConvscopeError(f"the output could not be written: {error.strerror}", "free some space and try again"))
        sys.exit(1)


def run() -> NoReturn:
    """``main`` as a process of its own, which ends without taking its memory apart.

    With PyTorch loaded, to free a million objects one by one takes most of a second (mypy ends this way, too).
    """
    streams.read_names_as_utf8()
    tell_libraries()
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except Exception:
        voice.speak()
        raise
    with suppress(OSError, ValueError, AttributeError):  # nobody listens
        sys.stderr.flush()
    os._exit(code)
