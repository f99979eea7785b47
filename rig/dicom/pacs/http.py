"""HTTP to a DICOMweb server: bounded answers, refusals as sentences, no redirects."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from rig.dicom.pacs.errors import PacsError
from rig.errors import UserError

_LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})
_WHY = {
    400: ("cannot read our request", False),
    401: ("wants a password or another one: give it with --auth", False),
    403: ("does not allow us this request", False),
    404: ("does not have it", False),
    406: ("cannot send it in the form that was asked for", False),
    429: ("wants us to be slower", True),
}


class Web:
    """One DICOMweb service."""

    def __init__(
        self, url: str, *, timeout: float = 60.0, auth: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        """Talk to the service at *url*.

        Args:
            url: e.g. `https://pacs.example/dicom-web`.
            timeout: seconds for each answer.
            auth: value of the Authorization header, or empty.
            tls: whom to trust; None: the system's authorities.

        Raises:
            UserError: *url* is none, or would carry *auth* in the clear.
        """
        import httpx

        where = urlsplit(url)
        if where.scheme not in {"http", "https"} or not where.hostname or where.username:
            raise UserError(f"{url!r} is no address of a DICOMweb service: https://HOST/PATH.")
        if auth and where.scheme == "http" and where.hostname not in _LOCAL:
            raise UserError("A password would be readable on the way: use https://, not http://.")
        self.name = where.netloc
        self._timeout = timeout
        # Never through a proxy of the environment: x-rays with names go straight to the hospital.
        self._client = httpx.Client(
            base_url=url.rstrip("/") + "/",
            timeout=timeout,
            trust_env=False,
            follow_redirects=False,
            verify=tls if tls is not None else True,
            headers={"Authorization": auth} if auth else {},
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def json(self, path: str, params: Mapping[str, str], *, most: int = 1 << 28) -> Any:
        """The JSON at *path*; None when the server has no content to send.

        Raises:
            PacsError: it is not there, refuses, sends more than *most* bytes or no JSON.
        """
        import json

        body, _ = self.get(path, params, "application/dicom+json", most=most)
        try:
            return json.loads(body) if body else None
        except ValueError as error:
            raise PacsError(f"{self.name} answered with something that is no JSON.") from error

    def get(
        self, path: str, params: Mapping[str, str], accept: str, *, most: int
    ) -> tuple[bytes, str]:
        """Body and content type of *path*; raises as `json`."""
        import httpx

        try:
            with self._client.stream(
                "GET", path + query(params), headers={"Accept": accept}
            ) as answer:
                self._check(answer.status_code)
                body = bytearray()
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > most:
                        raise PacsError(f"{self.name} sends more than {most:,} bytes at once.")
                return bytes(body), answer.headers.get("Content-Type", "")
        except httpx.ConnectError as error:
            raise PacsError(
                f"Nobody answers at {self.name}: is the PACS up, is the address right, do the "
                f"firewalls let this machine through, is its certificate trusted (--ca)? "
                f"({type(error).__name__})",
                again=True,
            ) from None
        except httpx.TimeoutException:
            raise PacsError(
                f"{self.name} did not answer for {self._timeout:g} s.", again=True
            ) from None
        except httpx.HTTPError as error:
            raise PacsError(
                f"{self.name} broke off in the middle of an answer ({type(error).__name__}).",
                again=True,
            ) from None

    def _check(self, status: int) -> None:
        if status in {200, 204, 206}:
            return
        if 300 <= status < 400:
            raise PacsError(f"{self.name} sends us to another address: give that one instead.")
        said, again = _WHY.get(status, ("cannot do it", status >= 500))
        raise PacsError(
            f"{self.name} {said} (HTTP {status}).", again=again, some=again or status == 404
        )


def query(params: Mapping[str, str]) -> str:
    """*params* behind a `?`.

    Wildcards and commas are left as they are, which RFC 3986 (3.4) allows: Orthanc's plugin up to
    1.7 looks for a literal `%2A`.
    """
    words = [f"{name}={quote(value, safe='*?,-.')}" for name, value in params.items()]
    return "?" + "&".join(words) if words else ""


def authorization(file: Path | None) -> str:
    """The Authorization header that *file* says: `user:password`, or a token.

    Raises:
        UserError: it cannot be read, or everybody can read it.
    """
    import base64

    if file is None:
        return ""
    try:
        if file.stat().st_mode & 0o077:
            raise UserError(f"{file} can be read by others: chmod 600 {file}.")
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {error}.") from error
    if not text or "\n" in text:
        raise UserError(f"{file} must hold one line: user:password, or a token.")
    if ":" in text:
        return "Basic " + base64.b64encode(text.encode()).decode()
    return f"Bearer {text}"
