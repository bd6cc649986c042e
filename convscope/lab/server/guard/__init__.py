"""What stands before every route, one middleware a duty, the outermost first.

``Answers``   every answer bears the headers that tell browsers what they may do
``Names``     only to our own name, and only from our own page
``Key``       only to whoever has the key
``Bodies``    a request's body is read whole, and bounded
``Failures``  a mistake of ours is told without its traceback

A page on the internet can make a browser send requests to 127.0.0.1, and by DNS rebinding even read the answers, and
other users of this machine can reach it too. Hence names, origins and the key.
"""

from starlette.middleware import Middleware

from .access import Access, Key
from .answers import Answers, Failures
from .bodies import Bodies
from .names import Names

__all__ = ["Access", "guard"]


def guard(access: Access) -> list[Middleware]:
    """The middlewares of a lab that ``access`` may enter."""
    return [
        Middleware(Answers),
        Middleware(Names, loopback=access.loopback),
        Middleware(Key, access=access),
        Middleware(Bodies),
        Middleware(Failures),
    ]
