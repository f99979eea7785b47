"""Sign-in links for further browsers."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from rig.web.deps import Rig, operator

router = APIRouter(prefix="/api/sign-in-links", tags=["access"], dependencies=operator)


class SignInLink(BaseModel):
    """Opens the dashboard once, within 15 minutes; *path* is below the controller's address."""

    path: str


@router.post("", status_code=201)
async def new_sign_in_link(rig: Rig) -> SignInLink:
    """A one-time link that signs a browser in."""
    return SignInLink(path=f"/sign-in?token={rig.auth.new_link()}")
