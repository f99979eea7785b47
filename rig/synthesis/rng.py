"""One generator per image and step, so that any image can be made again alone."""

from __future__ import annotations

import hashlib
import json

import numpy as np


def step_generator(seed: int, key: str, position: int, name: str) -> np.random.Generator:
    """The random generator of one step of one image.

    A BLAKE2b hash of (*key*, *position*, *name*), keyed by *seed*, is the key of a Philox
    counter: no state is shared between images, so order, workers and machines do not matter.

    Args:
        seed: dataset seed, any integer.
        key: the image's key.
        position: place of the step in its recipe, from 0.
        name: name of the step's transform.
    """
    # JSON keeps the parts apart: ("a", 11) and ("a1", 1) must not meet.
    message = json.dumps([key, position, name]).encode("ascii")
    seed_key = hashlib.blake2b(str(seed).encode("ascii"), digest_size=32).digest()
    digest = hashlib.blake2b(message, digest_size=16, key=seed_key).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
