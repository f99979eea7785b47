"""Sends photos and their sidecars to the controller, going on where a broken connection stopped.

    HEAD  .../photos/{name}   how much of it is there?
    PATCH .../photos/{name}   the rest, from that offset
    POST  .../manifest        the list that closes the batch

Header names are those of the IETF draft on resumable uploads. Every step may be repeated.
"""

from __future__ import annotations

import json
import os
import random
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, NoReturn, final
from urllib.parse import quote

from phone_agent.files import check_name, sha256_file
from phone_agent.link import Answer, Link, LinkCut, LinkError, bearer, parse_url
from phone_agent.manifest import BatchReply, ManifestPhoto, decode_reply, encode_manifest

_CHUNK = 1 << 16
_OFFSET = re.compile(r"[0-9]{1,15}", re.ASCII)
_REPLY_BYTES = 8 << 20
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 15.0
# Answers that may be different in a moment; every other 4xx is a decision.
_PASSING = frozenset({408, 425, 429})

Progress = Callable[[int, int], None]


class UploadError(Exception):
    """An upload did not succeed; the sentence says why and what to do.

    Attributes:
        kind: "link" (no connection, or the controller is ill: try later), "refused" (pairing or
            session is not known there: a person must look) or "file" (this file only).
    """

    def __init__(self, kind: Literal["link", "refused", "file"], sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


class UploadStopped(UploadError):
    """`Uploader.stop` was called."""


@final
class Uploader:
    """A blocking client for one controller; one thread uses it, any thread may `stop` it.

    Args:
        base_url: `http(s)://HOST:PORT[/PREFIX]`.
        token: the phone's bearer token; never part of a message.
        sleep: waits between attempts; None waits in a way that `stop` ends at once.
        jitter: random numbers in [0, 1).
        attempts: exchanges with a file per call of `upload`, >= 1.
        timeout_s: seconds of silence that count as a broken connection.
        context: TLS settings; None takes the default ones.

    Raises:
        ValueError: the address or token cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        sleep: Callable[[float], object] | None = None,
        jitter: Callable[[], float] = random.random,
        attempts: int = 6,
        timeout_s: float = 30.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        url = parse_url(base_url)
        self._place = url.place
        self._root = f"{url.path}/api/sessions"
        self._headers = {"Authorization": bearer(token)}
        self._secret = token
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._jitter = jitter
        self._attempts = attempts
        self._link = Link(url, timeout_s=timeout_s, context=context)

    def __enter__(self) -> Uploader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def stop(self) -> None:
        """End the exchange in progress; from any thread, for good."""
        self._stopped.set()
        self._link.cut("stopped")

    def close(self) -> None:
        """Close the connection; call it from the thread that uses the uploader, or after it."""
        self._link.close()

    def upload(
        self,
        session: str,
        path: Path,
        name: str,
        sha256: bytes,
        progress: Progress | None = None,
    ) -> None:
        """Send one file, from where the controller already has it; returns when it is durable.

        Args:
            session: the session's id.
            path: the file on the phone.
            name: its name at the controller (a photo or sidecar name).
            sha256: 32 bytes, checked by the controller.
            progress: called with (bytes the controller has or was sent, bytes in all).

        Raises:
            UploadError: see its `kind`. UploadStopped: `stop` was called.
            BadName: session or name is no safe file name.
        """
        target = self._target(session, "photos", name)
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                part = _Part(target, path, name, file, size, sha256, progress or _nobody)
                self._upload(part)
        except OSError as error:
            raise UploadError(
                "file", f"{name} cannot be read on the phone: {error.strerror or error}."
            ) from error

    def close_batch(
        self, session: str, photos: Sequence[ManifestPhoto], count: int, chain: str
    ) -> BatchReply:
        """Send the manifest of a finished session; repeating it is harmless.

        Args:
            session: the session's id.
            photos: all committed photos.
            count: how many captures the session committed.
            chain: hex of the chain after the last one.

        Raises:
            UploadError: see its `kind`. UploadStopped: `stop` was called.
        """
        target = self._target(session, "manifest")
        data = encode_manifest(photos, count, chain)
        headers = {"Content-Type": "application/json", **self._headers}
        last = ""
        for attempt in range(self._attempts):
            if attempt:
                self._pause(attempt)
            try:
                answer = self._link.exchange("POST", target, headers, data, limit=_REPLY_BYTES)
                if answer.status == 200:
                    return decode_reply(answer.body)
                self._judge(answer, f"the list of session {session}")
            except (_Passing, ValueError) as error:
                last = str(error)
            except LinkError as error:
                last = self._broken(error)
        raise self._exhausted(f"The list of session {session}", last)

    def _upload(self, part: _Part) -> None:
        offset: int | None = None
        damaged = False
        last, failures = "", 0
        for _ in range(self._attempts):
            try:
                if offset is None:
                    offset = self._ask(part)
                if offset is not None:
                    offset = self._send(part, offset)
                if offset is None:
                    return
                last = "the controller wants more than it was sent"
            except _Damaged:
                self._check_source(part, again=damaged)
                damaged, offset = True, None
                last = "the controller found another SHA-256"
            except _Passing as error:
                last = str(error)
            except LinkError as error:
                last = self._broken(error)
            else:
                continue
            offset = None
            failures += 1
            if failures < self._attempts:
                self._pause(failures)
        raise self._exhausted(part.name, last)

    def _ask(self, part: _Part) -> int | None:
        """HEAD: the offset to go on from, None when the file is complete."""
        answer = self._link.exchange("HEAD", part.target, self._headers)
        if answer.status not in {200, 204}:
            self._judge(answer, part.name)
        return self._offset(part, answer)

    def _send(self, part: _Part, offset: int) -> int | None:
        """PATCH the rest: None when the file is complete now, else the controller's offset."""
        headers = {
            **self._headers,
            "Content-Type": "application/partial-upload",
            "Content-Length": str(part.size - offset),
            "Upload-Offset": str(offset),
            "Upload-Length": str(part.size),
            "X-Content-SHA256": part.sha256.hex(),
        }
        answer = self._link.exchange("PATCH", part.target, headers, part.pieces(offset))
        if answer.status == 422:
            raise _Damaged
        if answer.status not in {200, 204, 409}:
            self._judge(answer, part.name)
        found = self._offset(part, answer)
        if answer.status == 409 and found == offset:
            raise _Passing("the controller refuses the very offset it asks for")
        return found

    def _offset(self, part: _Part, answer: Answer) -> int | None:
        if answer.headers.get("Upload-Complete", "").strip() == "?1":
            part.progress(part.size, part.size)
            return None
        text = answer.headers.get("Upload-Offset", "").strip()
        if not _OFFSET.fullmatch(text):
            raise _Passing(f"{self._place} does not answer as a capture-rig controller does")
        offset = int(text)
        if offset > part.size:
            raise UploadError(
                "file",
                f"The controller holds {offset} bytes of {part.name}, which has {part.size} on the "
                "phone; remove the unfinished file at the controller.",
            )
        part.progress(offset, part.size)
        return offset

    def _check_source(self, part: _Part, *, again: bool) -> None:
        """After a 422: once it may have been the line, twice it is something else."""
        if sha256_file(part.path) != part.sha256:
            raise UploadError(
                "file",
                f"{part.name} has changed on the phone since it was stored (another SHA-256); "
                "shoot this index again.",
            )
        if again:
            raise UploadError(
                "file",
                f"{part.name} arrived damaged twice although the phone's copy is right; something "
                "between phone and controller changes the bytes (a proxy?).",
            )

    def _judge(self, answer: Answer, what: str) -> NoReturn:
        """Turn a bad status into the right error."""
        status, place = answer.status, self._place
        if status in {401, 403}:
            raise UploadError(
                "refused", f"{place} refuses this phone ({status}). Pair it again with the station."
            )
        if status == 404:
            raise UploadError("refused", f"{place} does not know the session of {what} (404).")
        if 300 <= status < 400:
            raise UploadError(
                "refused",
                f"{place} redirects elsewhere ({status}), which is not followed. Pair again with "
                "the controller's own address.",
            )
        detail = self._detail(answer)
        if status >= 500 or status < 300 or status in _PASSING:
            raise _Passing(f"{place} answered {status}{detail}")
        raise UploadError("file", f"{place} does not take {what} ({status}{detail}).")

    def _detail(self, answer: Answer) -> str:
        """The `detail` of a problem document, made harmless for a terminal."""
        try:
            problem = json.loads(answer.body)
            text = problem.get("detail") or problem.get("title") or ""
        except (ValueError, AttributeError, RecursionError):
            return ""
        if not isinstance(text, str) or not text:
            return ""
        text = text.replace(self._secret, "***")[:200]
        return ": " + "".join(each if each.isprintable() else " " for each in text)

    def _broken(self, error: LinkError) -> str:
        if isinstance(error, LinkCut):
            raise UploadStopped("link", "The upload was stopped.") from error
        return str(error)

    def _pause(self, failures: int) -> None:
        """Wait 0.5, 1, 2, ... 15 s, times 1 to 1.5."""
        seconds = min(_FIRST_PAUSE_S * 2 ** (failures - 1), _LONGEST_PAUSE_S)
        self._sleep(seconds * (1 + self._jitter() / 2))
        if self._stopped.is_set():
            raise UploadStopped("link", "The upload was stopped.")

    def _exhausted(self, what: str, last: str) -> UploadError:
        return UploadError(
            "link",
            f"{what} did not get through to {self._place} in {self._attempts} attempts; last: "
            f"{last.rstrip('.')}. Check that phone and controller are in the same network.",
        )

    def _target(self, session: str, *rest: str) -> str:
        return "/".join([self._root, *(quote(check_name(p), safe="") for p in (session, *rest))])


class _Passing(Exception):
    """An answer that may be better in a moment."""


class _Damaged(Exception):
    """The controller got another SHA-256 and has discarded its part."""


@dataclass(frozen=True, slots=True)
class _Part:
    """An open file on its way."""

    target: str
    path: Path
    name: str
    file: BinaryIO
    size: int
    sha256: bytes
    progress: Progress

    def pieces(self, offset: int) -> Iterator[bytes]:
        """The bytes from `offset` on; exactly as many as were announced, or UploadError."""
        try:
            self.file.seek(offset)
            while offset < self.size:
                piece = self.file.read(min(_CHUNK, self.size - offset))
                if not piece:
                    raise UploadError(
                        "file", f"{self.name} became shorter on the phone while it was sent."
                    )
                yield piece
                offset += len(piece)
                self.progress(offset, self.size)
        except OSError as error:
            raise UploadError(
                "file", f"{self.name} cannot be read on the phone: {error.strerror or error}."
            ) from error


def _nobody(sent: int, size: int) -> None:
    """No one wants to know."""
