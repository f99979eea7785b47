"""X-rays by the hash of their file."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from rig.store import catalogs
from rig.web import images
from rig.web.auth import Role
from rig.web.deps import Rig, bearer, only

router = APIRouter(prefix="/api/images", tags=["images"])


@router.get(
    "/{sha256}",
    dependencies=[bearer, Depends(only(Role.OPERATOR, Role.STATION))],
    response_class=Response,
)
async def get_image(
    rig: Rig,
    request: Request,
    sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$")],
    width: Annotated[int | None, Query(ge=16, le=4096, description="scale to this width")] = None,
) -> Response:
    """The image file with this SHA-256, byte for byte (or scaled down, as a JPEG)."""
    file = await rig.database.aquery(lambda c: catalogs.image_file(c, sha256))
    if width is not None:
        return await images.scaled(file, width)
    if request.headers.get("if-none-match") == f'"{sha256}"':
        return Response(status_code=304, headers={**images.CACHE, "ETag": f'"{sha256}"'})
    return await images.exact(file, sha256)
