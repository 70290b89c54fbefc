"""Programs run in forks of one process that has imported their libraries.

Importing Django or MLflow takes up to seconds; a fork of a process that has imported it takes
milliseconds. Everything else is the same as in a new process: variables, working directory,
standard streams, exit status.

Tests use the class. Run as a file, by any Python, this module is the process that forks. Its
arguments are modules to import. Standard input has one JSON object per line: `kind`, `program`,
`args`, `environment` (all variables), `cwd` and `stdin`; standard output gets one line with
`returncode`, `stdout` and `stderr` for each.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

# Far longer than any program takes: only a program that never ends is stopped.
SECONDS = 240


class Done(NamedTuple):
    """The exit status of a program, and its output."""

    returncode: int
    stdout: str
    stderr: str


class Forks:
    """A process that has imported some modules and runs programs in forks of it."""

    def __init__(self, python: str, modules: list[str], *, environment: dict[str, str]) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._process = subprocess.Popen(
            [python, "-P", __file__, *modules],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
        )

    def run(
        self,
        kind: Literal["file", "module", "code"],
        program: str | Path,
        *args: str | Path,
        environment: dict[str, str],
        cwd: Path,
        stdin: str = "",
    ) -> Done:
        """Run a program in a fork and wait until it ends."""
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        request = {
            "kind": kind,
            "program": str(program),
            "args": [str(argument) for argument in args],
            "environment": environment,
            "cwd": str(cwd),
            "stdin": stdin,
        }
        try:
            requests.write(json.dumps(request).encode() + b"\n")
            requests.flush()
        except BrokenPipeError:
            raise AssertionError(text_of(self._log)) from None
        if not select.select([answers], [], [], SECONDS)[0]:
            self.stop()
            raise AssertionError(f"{program} {args} did not end within {SECONDS} s.")
        answer = answers.readline()
        assert answer, text_of(self._log)
        return Done(**json.loads(answer))

    def stop(self) -> None:
        """End the process and the program that it runs, if any. Can be called again."""
        if self._process.poll() is not None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._log):
            assert file is not None
            file.close()


def main(modules: list[str]) -> None:
    """Import the modules, and answer requests until standard input ends."""
    for name in modules:
        importlib.import_module(name)
    for line in sys.stdin.buffer:
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            pid = os.fork()
            if pid == 0:
                run(json.loads(line), given, out, err)
                return
            returncode = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            answer = Done(returncode, text_of(out), text_of(err))
        sys.stdout.write(f"{json.dumps(answer._asdict())}\n")
        sys.stdout.flush()


def run(request: dict[str, Any], given: IO[bytes], out: IO[bytes], err: IO[bytes]) -> None:
    """Run the program as the only thing that this process does from now on."""
    given.write(request["stdin"].encode())
    given.seek(0)
    for number, file in enumerate((given, out, err)):
        os.dup2(file.fileno(), number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - the old one has read ahead
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    program = request["program"]
    sys.argv = [program, *request["args"]]
    if request["kind"] == "file":
        sys.path.insert(0, str(Path(program).parent))
        runpy.run_path(program, run_name="__main__")
        return
    sys.path.insert(0, request["cwd"])
    if request["kind"] == "module":
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        code = compile(program, "<code>", "exec", dont_inherit=True)
        exec(code, {"__name__": "__main__"})  # noqa: S102 - code of a test


def text_of(file: IO[bytes]) -> str:
    """Return what was written to the file, from its beginning."""
    file.seek(0)
    return file.read().decode(errors="replace")


if __name__ == "__main__":
    main(sys.argv[1:])
