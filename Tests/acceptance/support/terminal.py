"""A program on a terminal of its own: what it shows, and keys to press."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from pathlib import Path

from support.processes import PATIENCE_SECONDS, wait_until

CTRL_C, CTRL_D, ENTER, UP = "\x03", "\x04", "\r", "\x1b[A"
PASTE_BEGIN, PASTE_END = "\x1b[200~", "\x1b[201~"
_COMMANDS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()=>][A-Z0-9]?|\r|\x07")


class Terminal:
    """One started program; its standard input, output and error are a terminal."""

    def __init__(self, arguments: list[str], home: Path, environment: dict[str, str] | None = None):
        self.arguments = arguments
        self.raw = ""
        self._main, self._side = pty.openpty()
        fcntl.ioctl(self._side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self.modes_before = termios.tcgetattr(self._side)
        self.popen = subprocess.Popen(
            arguments,
            stdin=self._side,
            stdout=self._side,
            stderr=self._side,
            start_new_session=True,
            # The terminal becomes the session's own, so that its Ctrl-C reaches the program.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": "xterm", "XDG_STATE_HOME": str(home), **(environment or {})},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._main, 65536)
            except OSError:
                return
            if not data:
                return
            self.raw += data.decode(errors="replace")

    @property
    def text(self) -> str:
        """What was shown so far, without the terminal's commands."""
        return _COMMANDS.sub("", self.raw)

    def send(self, text: str) -> int:
        """Presses keys. Gives back how much was shown before, for `wait_for`."""
        before = len(self.text)
        os.write(self._main, text.encode())
        return before

    def wait_for(self, text: str, since: int = 0, seconds: float = PATIENCE_SECONDS) -> None:
        """Waits until a text is shown, after the first `since` characters."""
        wait_until(lambda: text in self.text[since:], seconds, lambda: f"no '{text}' in:\n{self.text[since:]}")

    def wait_for_prompt(self, since: int = 0) -> None:
        """Waits until the program asks for the next line."""
        wait_until(lambda: self.text[since:].endswith("\n> "), what=lambda: f"no prompt after:\n{self.text[since:]}")

    def ask(self, message: str, until: str = "") -> str:
        """Types a line (or presses Ctrl-C) and gives back what is shown until the next prompt."""
        since = self.send(message if message == CTRL_C else message + ENTER)
        if until:
            self.wait_for(until, since)
        # The line that was typed is shown first, and may be empty.
        wait_until(lambda: "\n" in self.text[since:], what=lambda: f"nothing after:\n{self.text[since:]}")
        self.wait_for_prompt(since)
        return self.text[since:]

    def modes(self) -> list:
        """The modes of the terminal: a program has to leave them as they were."""
        return termios.tcgetattr(self._side)

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        """The exit status, once it has ended."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s:\n{self.text}") from None

    def end(self) -> None:
        """Ends it, if it still runs."""
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait(10)
        os.close(self._side)
        self._reader.join(5)
        os.close(self._main)
