"""Every transform beside its definition, written slowly and on its own in plain NumPy or Pillow.

None of these uses the code that it checks, nor OpenCV; only parameters are shared. `moire`, whose
definition takes pages, has its reference in test_moire.py.
"""

import io
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rig.synthesis.registry import TRANSFORMS
from rig.synthesis.rng import step_generator
from rig.synthesis.transform import LEVELS

WIDTH, HEIGHT = 64, 51


@pytest.fixture
def picture():
    """Smooth, with a bright bar and a little grain; grey."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    out = 120 + 60 * np.sin(x / 9) * np.cos(y / 11) + 0.4 * y
    out[20:26, 30:52] += 40
    out += np.random.default_rng(1).normal(0, 1, out.shape)
    return out.clip(0, 255).astype(np.uint8)


def blended(image, base, factor):
    return np.clip(base + factor * (image.astype(float) - base), 0, 255).astype(int)


def contrast(image, p):
    return blended(image, int(image.mean() + 0.5), p.factor)


def brightness(image, p):
    return blended(image, 0, p.factor)


def random_digital(image, p):
    first = blended(image, int(image.mean() + 0.5), p.contrast)
    return blended(first, 0, p.brightness)


def exposure(image, p):
    return (255 / (1 + np.exp(p.gain * (p.cutoff - image / 255)))).astype(int)


def white_over(image, opacity):
    return image + (255.0 - image) * np.floor(opacity) / 255


def glare_matte(image, p):
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    distance = np.hypot(x - p.x, y - p.y)
    return white_over(image, np.minimum(p.cap, p.peak * np.exp(-(distance**2) / 2 / p.sigma**2)))


def glare_glossy(image, p):
    opacity = np.zeros(image.shape)
    x0, y0, x1, y1 = p.box
    opacity[y0:y1, x0:x1] = p.opacity
    return white_over(image, opacity)


def tilt(image, p):
    rows, right = [], []
    corners = [(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)]
    for (x, y), (u, v) in zip(p.corners, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    data = np.linalg.solve(np.array(rows), np.array(right)).tolist()
    kind, bicubic = Image.Transform.PERSPECTIVE, Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(image).transform((WIDTH, HEIGHT), kind, data, bicubic))


def averaged(image, weights, border):
    """Every pixel the mean of its neighbours: {(dx, dy): weight}."""
    reach = max(max(map(abs, place)) for place in weights)
    wide = np.pad(image.astype(float), reach, mode=border)
    out = np.zeros(image.shape)
    for (dx, dy), weight in weights.items():
        top, left = reach + dy, reach + dx
        out += weight * wide[top : top + HEIGHT, left : left + WIDTH]
    return out / sum(weights.values())


def blur(image, p):
    reach = range(-math.ceil(4 * p.radius), math.ceil(4 * p.radius) + 1)
    bell = {n: math.exp(-(n**2) / 2 / p.radius**2) for n in reach}
    across = averaged(image, {(n, 0): w for n, w in bell.items()}, "edge")
    return averaged(across, {(0, n): w for n, w in bell.items()}, "edge")


def motion(image, p):
    first = -(p.length // 2)
    return averaged(image, {(first + n, 0): 1 for n in range(p.length)}, "reflect")


def defocus(image, p):
    fine, reach = np.arange(-9.98, 10, 0.04), math.ceil(p.radius + 0.5)
    y, x = np.meshgrid(fine, fine)
    inside = x**2 + y**2 <= p.radius**2
    cells = np.stack([np.rint(x[inside]), np.rint(y[inside])]).astype(int)
    weights = {}
    for dx in range(-reach, reach + 1):
        for dy in range(-reach, reach + 1):
            weights[dx, dy] = int(((cells[0] == dx) & (cells[1] == dy)).sum())
    return averaged(image, weights, "edge")


def sampled(image, x, y):
    """Between four pixels by distance; black outside, 0 is the first pixel's centre."""
    wide = np.pad(image.astype(float), 2)
    x, y = np.clip(x, -2, WIDTH + 0.999) + 2, np.clip(y, -2, HEIGHT + 0.999) + 2
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    a, b = x - left, y - top
    upper = (1 - a) * wide[top, left] + a * wide[top, left + 1]
    return (1 - b) * upper + b * ((1 - a) * wide[top + 1, left] + a * wide[top + 1, left + 1])


def rotation(image, p):
    cos, sin = (f(math.radians(p.degrees)) for f in (math.cos, math.sin))
    wide = int(HEIGHT * abs(sin) + WIDTH * abs(cos))
    tall = int(HEIGHT * abs(cos) + WIDTH * abs(sin))
    y, x = np.mgrid[0:tall, 0:wide].astype(float)
    x, y = x - wide / 2, y - tall / 2
    return sampled(image, cos * x - sin * y + WIDTH // 2, sin * x + cos * y + HEIGHT // 2)


def translation(image, p):
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    return sampled(image, x - p.dx, y - p.dy)


def barrel(image, p):
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    x, y = x - WIDTH / 2, y - HEIGHT / 2
    shrink = 1 - p.k * (x**2 + y**2) / (WIDTH**2 / 4 + HEIGHT**2 / 4)
    return sampled(image, x / shrink + WIDTH / 2 - 0.5, y / shrink + HEIGHT / 2 - 0.5)


def vignetting(image, p):
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    # The angle at the corner is the one whose cosine to the fourth leaves what is said.
    corner = math.tan(math.acos((1 - p.strength) ** 0.25))
    angle = np.arctan(
        corner * np.hypot(x - WIDTH / 2, y - HEIGHT / 2) / math.hypot(WIDTH / 2, HEIGHT / 2)
    )
    return image * np.cos(angle) ** 4


def normals(image, seed):
    generator = np.random.Generator(np.random.Philox(key=seed))
    return generator.standard_normal(image.shape, dtype=np.float32).astype(float)


def sensor_noise(image, p):
    spread = np.sqrt(p.shot * image + p.read**2)
    return np.clip(np.floor(image + spread * normals(image, p.seed) + 0.5), 0, 255)


def low_light(image, p):
    value = image / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    electrons = light * p.electrons / 2**p.stops
    seen = electrons + np.sqrt(electrons + p.read**2) * normals(image, p.seed)
    light = np.clip(seen / p.electrons * 2 ** (p.stops * p.restored), 0, 1)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255 * curve)


def white_balance(image, p):
    gain = 0.299 * p.red + 0.587 * p.green + 0.114 * p.blue
    return np.clip(np.rint(image * gain), 0, 255)


def jpeg(image, p):
    moved = np.pad(image, ((p.dy, 0), (p.dx, 0)), mode="edge")
    file = io.BytesIO()
    Image.fromarray(moved).save(file, "JPEG", quality=p.quality)
    return np.asarray(Image.open(file))[p.dy :, p.dx :]


def screen_door(image, p):
    """The lit share of every sensor pixel's aperture, counted at 400 x 400 points."""
    angle, inside = math.radians(p.degrees), (np.arange(400) + 0.5) / 400 - 0.5
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    light = np.ones(image.shape)
    for place, phase in (
        (math.cos(angle) * x + math.sin(angle) * y, p.phase[0]),
        (math.cos(angle) * y - math.sin(angle) * x, p.phase[1]),
    ):
        points = (place[..., None] + p.aperture * inside) / p.pitch + phase
        light *= (np.mod(points, 1) < p.fill).mean(axis=-1) / p.fill
    return np.clip(image * light, 0, 255)


# Name -> reference, greatest and mean difference allowed.
REFERENCES = {
    "contrast_up": (contrast, 1, 0.5),
    "contrast_down": (contrast, 1, 0.5),
    "brightness_up": (brightness, 1, 0.5),
    "brightness_down": (brightness, 1, 0.5),
    "random_digital": (random_digital, 1, 0.5),
    "exposure": (exposure, 1, 0.01),
    "glare_matte": (glare_matte, 1, 0.5),
    "glare_glossy": (glare_glossy, 1, 0.5),
    "tilt": (tilt, 40, 1.2),
    "blur": (blur, 9, 1.4),  # Pillow approximates a Gaussian by three boxes
    "motion": (motion, 1, 0.5),
    "rotation": (rotation, 8, 0.5),
    "translation": (translation, 0, 0),
    "identity": (lambda image, _: image, 0, 0),
    "vignetting": (vignetting, 1, 0.6),
    "sensor_noise": (sensor_noise, 1, 0.01),
    "white_balance": (white_balance, 0, 0),
    "jpeg": (jpeg, 14, 0.6),  # another encoder's tables, by a rounding
    "barrel": (barrel, 60, 1.2),
    "screen_door": (screen_door, 12, 1.0),
    "defocus": (defocus, 2, 0.5),
    "low_light": (low_light, 1, 0.1),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", REFERENCES)
def test_a_transform_does_what_its_definition_says(picture, name, level):
    reference, most, mean = REFERENCES[name]
    kind = TRANSFORMS[name]
    for n in range(3):
        params = kind.sample(step_generator(n, "k", 0, name), level, (WIDTH, HEIGHT))
        before = picture.copy()
        out = kind.apply(picture, params)
        expected = reference(picture, params)
        assert out.shape == expected.shape
        difference = abs(out.astype(float) - expected)
        assert difference.max() <= most
        assert difference.mean() <= mean
        assert np.array_equal(picture, before)


@pytest.mark.parametrize("name", sorted(REFERENCES.keys() - {"identity"}))
def test_doing_nothing_would_be_seen(picture, name):
    reference, most, mean = REFERENCES[name]
    params = TRANSFORMS[name].sample(step_generator(1, "k", 0, name), 4, (WIDTH, HEIGHT))
    expected = reference(picture, params)
    if expected.shape == picture.shape:
        difference = abs(picture.astype(float) - expected)
        assert difference.max() > most or difference.mean() > mean


def test_no_transform_is_without_a_reference():
    assert REFERENCES.keys() == TRANSFORMS.keys() - {"moire"}
    assert "def reference(" in (Path(__file__).parent / "test_moire.py").read_text()
