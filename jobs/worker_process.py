# ruff: noqa: S301, S603 - both ends of every pipe are ours
"""A worker process: another Python, which groups of units go to and results come back from.

It knows nothing of the program that started it but where modules are: that program's main module
is not run again there, as multiprocessing would. It loads what it needs at once, while the run is
still being planned, and ends when its parent does.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Final, Self

from ..filters.errors import CorpusgateError, OutputError, unforeseen
from .lean import in_a_program_of_our_own

if TYPE_CHECKING:
    from ..connectors.audit import UnitResult
    from .context import Context
    from .plan import Unit
    from .spec import PiiSpec

_START: Final = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer);"
    " from corpusgate.jobs.worker_process import serve; serve()"
)
_PATIENCE: Final = 10.0  # seconds that an idle process gets to end


class WorkerProcess:
    """A process that works for one thread of this one. Use as a context manager."""

    def __init__(self, pii: PiiSpec | None = None) -> None:
        """Start it; what `pii` asks for is made there at once.

        Ctrl-C in a terminal is its parent's business: it has a session of its own.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._write(sys.path)
        self._send(pii)

    def begin(self, context: bytes) -> None:
        """Give it what all units of the run share, pickled. Raises OutputError if it is dead."""
        self._write(context)

    def __call__(self, group: Sequence[Unit], keys: Mapping[Unit, str]) -> list[UnitResult]:
        """Process a group there. Raises what `process` raises, and OutputError if it dies."""
        self._send((group, {unit: keys[unit] for unit in group}))
        try:
            results, error = pickle.load(_pipe(self._process.stdout))
        except (EOFError, OSError, pickle.UnpicklingError):
            raise _died() from None
        if error is not None:
            raise error
        answer: list[UnitResult] = results
        return answer

    def _send(self, what: Any) -> None:  # noqa: ANN401 - whatever `serve` takes
        self._write(pickle.dumps(what, pickle.HIGHEST_PROTOCOL))

    def _write(self, what: list[str] | bytes) -> None:
        pipe = _pipe(self._process.stdin)
        try:
            pickle.dump(what, pipe, pickle.HIGHEST_PROTOCOL)
            pipe.flush()
        except OSError:
            raise _died() from None

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it; what it has not answered by now is not wanted."""
        with contextlib.suppress(OSError):
            _pipe(self._process.stdin).close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _pipe(self._process.stdout).close()


def serve() -> None:
    """Be a worker process: what `WorkerProcess` sends comes in, what became of it goes out."""
    tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, tasks), daemon=True).start()
    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    in_a_program_of_our_own()
    pii: PiiSpec | None = pickle.loads(tasks.get())
    if pii is not None and pii.nlp is None and not pii.recognizers:
        _make_recognizers(pii)

    from .shard import process

    context: Context = pickle.loads(tasks.get())
    while True:
        group, keys = pickle.loads(tasks.get())
        answer: tuple[list[UnitResult] | None, Exception | None]
        try:
            answer = (process(group, keys, context), None)
        except (CorpusgateError, OSError) as error:
            answer = (None, error)
        except Exception as error:  # noqa: BLE001 - its message may quote a text
            answer = (None, unforeseen(error, group[0].name))
        pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


def _make_recognizers(pii: PiiSpec) -> None:
    """Make what the run's scanner will want here; what is wrong with it, the run itself says."""
    from ..filters.detect.scanner import usual_judges

    entities = None if pii.entities is None else tuple(pii.entities)
    with contextlib.suppress(ValueError):
        usual_judges(entities, tuple(pii.languages), pii.profile, pii.least)


def _receive(pipe: IO[bytes], tasks: queue.SimpleQueue[bytes]) -> None:
    """Take what is sent; where that ends, so does this process, whatever it is doing.

    It comes as bytes: what is in them is made by the thread that imports modules, or the two could
    wait for each other's.
    """
    with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            tasks.put(pickle.load(pipe))
    os._exit(0)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("a worker process has a pipe in and a pipe out")
    return pipe


def _died() -> OutputError:
    what = "a worker process died, most likely for want of memory"
    fix = "run again, with fewer --workers; finished units are kept"
    return OutputError("workers", what, fix)
