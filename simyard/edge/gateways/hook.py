"""The program gammu-smsd runs for each message it received (RunOnReceive): it hands the message to Simyard.

gammu-smsd offers a message once, so it is written to a folder first and deleted there when Simyard has it. What cannot
be delivered at once is delivered by a process of its own that goes on trying, or by the next message, or by
`--flush` from a timer. Only the standard library is used, because a process is started for each message.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

_SECONDS_MAX: Final = 10.0
_PAUSE_FIRST: Final = 1.0
_PAUSE_MAX: Final = 10.0
# Answers that say the message itself is what is wrong. Anything else may be mended: an address, a network, a server.
REFUSED: Final = frozenset((400, 413, 422))
_WAITING, _DONE, _REFUSED_FOLDER = ".json", ".part", "refused"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST would come as an empty GET, and look like a success."""

    def redirect_request(self, *arguments: Any, **keywords: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)


def message_of(environment: Mapping[str, str], now: float) -> dict[str, object] | None:
    """The message gammu-smsd describes in its environment; None when there is none."""
    count = _number(environment.get("SMS_MESSAGES", ""))
    if not count:
        return None
    decoded = _number(environment.get("DECODED_PARTS", ""))
    parts = [environment.get(f"DECODED_{part}_TEXT", "") for part in range(1, decoded + 1)]
    if not any(parts):
        parts = [environment.get(f"SMS_{part}_TEXT", "") for part in range(1, count + 1)]
    # Version 1.42 tells no time.
    stamp = _number(environment.get("SMS_1_TIMESTAMP", ""))
    return {
        "id": uuid.uuid4().hex,
        "phone_id": _whole(environment.get("PHONE_ID", "")),
        "from": _whole(environment.get("SMS_1_NUMBER", "")),
        "text": _whole("".join(parts)),
        "received_at": stamp or round(now, 3),
    }


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def _whole(text: str) -> str:
    """Bytes of another charset, as Python keeps them in its environment, made into text."""
    return os.fsencode(text).decode("utf-8", "replace") if not text.isascii() else text


def store(spool: Path, message: Mapping[str, object], now: float) -> Path:
    """Write a message so that it outlives a power cut. Names sort in the order of arrival."""
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = spool / f"{int(now * 1000):015d}-{message['id']}{_WAITING}"
    part = path.with_suffix(_DONE)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(json.dumps(message).encode())
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    folder = os.open(spool, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return path


def waiting(spool: Path) -> list[Path]:
    """What is still to be delivered, in the order of arrival."""
    return sorted(spool.glob(f"*{_WAITING}")) if spool.is_dir() else []


def sweep(spool: Path, url: str) -> int:
    """Deliver what waits, until something fails; returns how much is left. Whoever calls holds the lock."""
    paths = waiting(spool)
    for index, path in enumerate(paths):
        try:
            status = post(url, path.read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            return len(paths) - index
        if 200 <= status < 300:
            path.unlink(missing_ok=True)
        elif status in REFUSED:
            refused = spool / _REFUSED_FOLDER
            refused.mkdir(mode=0o700, exist_ok=True)
            path.rename(refused / path.name)
            print(f"simyard: a message was refused with {status}: {refused / path.name}", file=sys.stderr)
        else:
            return len(paths) - index
    return 0


def post(url: str, body: bytes, headers: Mapping[str, str] | None = None) -> int:
    """The status of the answer. Raises OSError or ValueError when there was none."""
    request = urllib.request.Request(  # noqa: S310  the address is the operator's own word
        url, data=body, headers={"content-type": "application/json", **(headers or {})}, method="POST"
    )
    try:
        with _opener.open(request, timeout=_SECONDS_MAX) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@contextlib.contextmanager
def _locked(spool: Path, name: str, *, wait: bool) -> Iterator[bool]:
    """Whether this process has the lock; without `wait` it may be another that has."""
    descriptor = os.open(spool / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield _lock(descriptor, wait=wait)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, *, wait: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def deliver_once(spool: Path, url: str) -> bool:
    """Try once; whether nothing is left. Another process that is at it counts as something left."""
    with _locked(spool, ".deliver", wait=False) as mine:
        return mine and sweep(spool, url) == 0


def deliver_all(spool: Path, address: Callable[[], str]) -> None:
    """Try until nothing is left. At most two processes are here: one that delivers, one that waits to look again."""
    with contextlib.ExitStack() as next_in_line:
        if not next_in_line.enter_context(_locked(spool, ".next", wait=False)):
            # Who waits will look at the folder later than now.
            return
        with _locked(spool, ".deliver", wait=True):
            next_in_line.close()
            pause = _PAUSE_FIRST
            while sweep(spool, address()) > 0:
                time.sleep(pause)
                pause = min(2 * pause, _PAUSE_MAX)


def _go_on_alone(spool: Path, arguments: list[str]) -> None:
    """Leave the rest to a process gammu-smsd does not wait for."""
    subprocess.Popen(  # noqa: S603  ourselves
        [
            sys.executable,
            "-m",
            "simyard.edge.gateways.hook",
            *arguments,
            "--spool",
            str(spool),
            "--until-done",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=Path(__file__).resolve().parents[3],
    )


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 once the message is on disk, whether or not it was delivered."""
    parser = argparse.ArgumentParser(prog="simyard gateway hook", description=__doc__.partition("\n")[0])
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", help="the gateway's secret address; visible to others on this machine")
    where.add_argument("--url-file", type=Path, help="a file with the gateway's secret address")
    parser.add_argument("--spool", type=Path, required=True, help="folder messages wait in")
    parser.add_argument(
        "--flush", action="store_true", help="deliver what waits, once; exit code 1 if some is left"
    )
    parser.add_argument("--until-done", action="store_true", help="deliver what waits, however long it takes")
    # gammu-smsd adds the ids of the message for some of its stores.
    given, _ = parser.parse_known_args(arguments)
    spool: Path = given.spool.absolute()
    if not (given.flush or given.until_done):
        now = time.time()
        message = message_of(os.environ, now)
        if message is None:
            print("simyard: gammu-smsd has set no message in the environment", file=sys.stderr)
            return 2
        store(spool, message, now)
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    source = ["--url", given.url] if given.url else ["--url-file", str(given.url_file.absolute())]

    def address() -> str:
        """Read anew each time, so that it can be mended. Nothing can be delivered to an empty one."""
        with contextlib.suppress(OSError):
            return str(given.url or given.url_file.read_text().strip())
        return ""

    if given.until_done:
        deliver_all(spool, address)
        return 0
    done = deliver_once(spool, address())
    if given.flush:
        return 0 if done else 1
    if not done:
        _go_on_alone(spool, source)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
