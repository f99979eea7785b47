"""Where imports of DICOM files and decisions lie; known without the extra that reads them."""

from __future__ import annotations

FOLDER = "catalogs"
HELD = "held"
REVIEWS = "dicom/reviews"
