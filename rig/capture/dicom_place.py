"""Where imports of DICOM files lie in a home; known without the extra that reads them."""

from __future__ import annotations

FOLDER = "catalogs"
