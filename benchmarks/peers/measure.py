"""Running a program and measuring it: time, largest resident set, lines as they come, and what else the machine did."""

import ctypes
import mmap
import os
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

# Longer than any measurement takes on a machine that can run it at all.
TIMEOUT_SECONDS = 1800.0

# Settings in the environment that would make one program run otherwise than its command line says.
FOREIGN_PREFIXES = ("GGML_", "GOMP_", "LLAMA_", "OMP_")

# Others that use more than this of the processors make a measurement worthless: two threads that wait for each other
# at every layer go at the pace of the one that is disturbed.
OTHERS_SHARE_MAX = 0.05
QUIET_SAMPLE_SECONDS = 2.0
QUIET_WAIT_SECONDS = 180.0

READ_BYTES = 16 * 2**20
RESIDENT_SHARE_MAX = 0.01


class Failed(Exception):
    """Something that the reader can do something about; the text says what."""


@dataclass
class Line:
    """A line of output, and when it came: seconds after the program was started."""

    seconds: float
    text: str


@dataclass
class Outcome:
    """What a program wrote and took."""

    seconds: float
    peak_bytes: int
    # Time of processors that went to other processes or to other machines, as a share of all of it.
    others_share: float
    output: list[Line] = field(default_factory=list)
    errors: list[Line] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.output)

    def first(self, lines: list[Line], word: str) -> float | None:
        """When the first line came that has this word in it."""
        return next((line.seconds for line in lines if word in line.text), None)


def processor_seconds() -> float:
    """Time that all processors together have spent on anything, this machine's or stolen by others, since the start."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, interrupts, soft_interrupts, stolen = (int(each) for each in fields[:8])
    return (user + nice + system + interrupts + soft_interrupts + stolen) / os.sysconf("SC_CLK_TCK")


def wait_for_quiet() -> bool:
    """Waits until others leave the processors alone for a moment; false if they do not."""
    deadline = time.monotonic() + QUIET_WAIT_SECONDS
    while time.monotonic() < deadline:
        busy, begin = processor_seconds(), time.monotonic()
        time.sleep(QUIET_SAMPLE_SECONDS)
        share = (processor_seconds() - busy) / (time.monotonic() - begin) / (os.cpu_count() or 1)
        if share <= OTHERS_SHARE_MAX:
            return True
    return False


def environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN_PREFIXES)}


def follow(stream, begin: float, lines: list[Line]) -> threading.Thread:
    def read():
        for text in stream:
            lines.append(Line(time.monotonic() - begin, text.rstrip("\n")))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def run(command: list) -> Outcome:
    """Runs a program to its end; its largest resident set is that of the process itself, as the kernel counted it."""
    command = [str(part) for part in command]
    busy, begin = processor_seconds(), time.monotonic()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
        env=environment())
    outcome = Outcome(0, 0, 0)
    readers = [follow(process.stdout, begin, outcome.output), follow(process.stderr, begin, outcome.errors)]
    guard = threading.Timer(TIMEOUT_SECONDS, process.kill)
    guard.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        guard.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    outcome.seconds = time.monotonic() - begin
    for reader in readers:
        reader.join()
    own = usage.ru_utime + usage.ru_stime
    available = outcome.seconds * (os.cpu_count() or 1)
    outcome.others_share = max(0.0, processor_seconds() - busy - own) / available
    outcome.peak_bytes = usage.ru_maxrss * 1024
    if process.returncode != 0:
        last = "\n".join(line.text for line in outcome.errors[-15:])
        raise Failed(f"`{' '.join(command)}` ended with status {process.returncode}:\n{last}")
    return outcome


def resident_share(path: Path) -> float:
    """How much of a file is in the page cache."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        pages = -(-len(mapped) // mmap.PAGESIZE)
        vector = (ctypes.c_ubyte * pages)()
        first = ctypes.c_char.from_buffer(mapped)
        status = libc.mincore(ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(len(mapped)), vector)
        # The mapping cannot be closed while something refers to it.
        del first
        if status != 0:
            raise OSError(ctypes.get_errno(), "mincore")
        return sum(bytes(vector).translate(bytes(value & 1 for value in range(256)))) / pages


def drop_from_cache(path: Path) -> bool:
    """Asks the kernel to forget the contents of a file; whether it did."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return resident_share(path) <= RESIDENT_SHARE_MAX


def read_into_cache(path: Path):
    with open(path, "rb", buffering=0) as file:
        buffer = bytearray(READ_BYTES)
        while file.readinto(buffer):
            pass
