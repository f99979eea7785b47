"""Where the bytes of an x-ray come from; its SHA-256 is verified every single time."""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import httpx
import structlog

from rig.durable import PRIVATE, write_atomic
from rig.errors import UserError
from rig.planning.plan import PlanItem, SubsetPlan

MAX_BYTES = 512 * 2**20
"""Larger files are no x-rays: a 16-bit picture of 10,000 by 10,000 pixels has 200 MB."""

_SHA = re.compile(r"[0-9a-f]{64}")
_log = structlog.get_logger()


class ImageProblem(UserError):
    """An x-ray cannot be had, or is not the one that was planned; the sentence names its index."""


class ImageSource(Protocol):
    """Gives the bytes of planned x-rays."""

    async def fetch(self, item: PlanItem) -> bytes:
        """The verified bytes of *item*; raises ImageProblem."""
        ...

    async def close(self) -> None:
        """Let go of connections; fetch nothing afterwards."""
        ...


class LocalImages:
    """The files that *plan* names, on this machine's disk."""

    def __init__(self, plan: SubsetPlan) -> None:
        self._planned = {(item.index, item.sha256): item for item in plan.items}

    async def fetch(self, item: PlanItem) -> bytes:
        """The verified bytes of *item*.

        Raises:
            ImageProblem: not in the plan, no file named, unreadable, or other bytes than planned.
        """
        if (item.index, item.sha256) not in self._planned:
            raise ImageProblem(f"x-ray {item.index} is not in the plan; load the plan again")
        return await asyncio.to_thread(_read_planned, item)

    async def close(self) -> None:
        """Nothing is held open."""


class ControllerImages:
    """X-rays from the planned file if this machine has it, else cache, else the controller.

    The cache is addressed by content, verified on each use and may be deleted at any time; when it
    cannot be written the x-rays are fetched all the same.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        cache_dir: Path,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        pauses: tuple[float, ...] = (0.5, 2.0),
    ) -> None:
        """Args: *pauses* are the seconds to wait before each further try when nobody answers."""
        self._cache_dir = cache_dir
        self._sleep = sleep
        self._pauses = pauses
        # The system's certificates, as the WebSocket link uses; the controller is on this network,
        # so no proxy from the environment may come between.
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(30.0, connect=5.0),
            transport=transport,
            trust_env=False,
            verify=ssl.create_default_context(),
        )

    async def fetch(self, item: PlanItem) -> bytes:
        """The verified bytes of *item*.

        Raises:
            ImageProblem: nobody has it, the controller refuses, or its bytes are not the planned.
        """
        if not _SHA.fullmatch(item.sha256):
            raise ImageProblem(f"x-ray {item.index}: its SHA-256 in the plan is malformed")
        here = await asyncio.to_thread(self._from_disk, item)
        if here is not None:
            return here
        data = await self._download(item)
        _verify(data, item, "the controller", "check the catalog's files with `rig doctor`")
        await asyncio.to_thread(self._remember, item.sha256, data)
        return data

    async def close(self) -> None:
        """Close the connections to the controller."""
        await self._client.aclose()

    def _from_disk(self, item: PlanItem) -> bytes | None:
        if item.file is not None and (data := _matching(Path(item.file), item.sha256)) is not None:
            return data
        # A spoilt cache entry is passed over here and replaced by the next download.
        return _matching(self._cached(item.sha256), item.sha256)

    def _cached(self, sha256: str) -> Path:
        return self._cache_dir / sha256[:2] / sha256

    def _remember(self, sha256: str, data: bytes) -> None:
        try:
            write_atomic(self._cached(sha256), data, mode=PRIVATE)
        except OSError as problem:
            _log.warning(
                f"The image cache {self._cache_dir} cannot be written ({problem.strerror}); "
                "x-rays are fetched each time. Free some space there."
            )

    async def _download(self, item: PlanItem) -> bytes:
        for pause in self._pauses:
            try:
                return await self._ask(item)
            except httpx.TransportError:
                await self._sleep(pause)
        try:
            return await self._ask(item)
        except httpx.TransportError as problem:
            raise ImageProblem(
                f"x-ray {item.index}: the controller at {self._client.base_url} does not answer "
                f"({type(problem).__name__}); check the network, then resume"
            ) from problem

    async def _ask(self, item: PlanItem) -> bytes:
        async with self._client.stream("GET", f"/api/images/{item.sha256}") as response:
            if response.status_code != httpx.codes.OK:
                raise ImageProblem(_refusal(item.index, response.status_code))
            data = bytearray()
            async for part in response.aiter_bytes():
                data += part
                if len(data) > MAX_BYTES:
                    raise ImageProblem(
                        f"x-ray {item.index}: the controller sends more than {MAX_BYTES} bytes; "
                        "that is no x-ray, check the catalog"
                    )
            return bytes(data)


def _refusal(index: int, status: int) -> str:
    if status in {401, 403}:
        return f"x-ray {index}: the controller refuses this station's token; pair the station again"
    if status == 404:
        return f"x-ray {index}: the controller has no such file; import the catalog again"
    return f"x-ray {index}: the controller answered {status}; look in its log, then resume"


def _read_planned(item: PlanItem) -> bytes:
    if item.file is None:
        raise ImageProblem(
            f"x-ray {item.index}: the plan names no file for it; export the plan on this machine"
        )
    try:
        data = _read(Path(item.file))
    except OSError as problem:
        raise ImageProblem(
            f"x-ray {item.index}: {item.file} cannot be read ({problem.strerror or problem}); "
            "put the file back, then resume"
        ) from problem
    _verify(data, item, item.file, "restore the file or import the catalog again")
    return data


def _matching(path: Path, sha256: str) -> bytes | None:
    """The bytes at *path* if they are those; None for any other or no file."""
    try:
        data = _read(path)
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == sha256 else None


def _read(path: Path) -> bytes:
    """A regular file of sane size: the name may come from another machine (think of a pipe)."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there")
    if path.stat().st_size > MAX_BYTES:
        raise OSError(f"larger than {MAX_BYTES} bytes")
    return path.read_bytes()


def _verify(data: bytes, item: PlanItem, origin: str, remedy: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != item.sha256:
        raise ImageProblem(
            f"x-ray {item.index}: {origin} holds other bytes than planned "
            f"(SHA-256 {found[:12]}..., planned {item.sha256[:12]}...); {remedy}"
        )
