"""To play with in room 8: what a trained net makes of a picture that one changes, and what goes back through it."""

from fastapi import APIRouter

from . import atlas, attack, backward, beside, channels, kernels

router = APIRouter(prefix="/api/inside", tags=["inside"])
for part in (attack, channels, atlas, beside, backward, kernels):
    router.include_router(part.router)
