"""VinDr-CXR's 28 findings (Nguyen et al. 2022, Sci Data 9:429), however a file spells them."""

from __future__ import annotations

from collections.abc import Mapping

LOCAL: tuple[str, ...] = (
    "Aortic enlargement",
    "Atelectasis",
    "Calcification",
    "Cardiomegaly",
    "Clavicle fracture",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Enlarged PA",
    "ILD",
    "Infiltration",
    "Lung Opacity",
    "Lung cavity",
    "Lung cyst",
    "Mediastinal shift",
    "Nodule/Mass",
    "Pleural effusion",
    "Pleural thickening",
    "Pneumothorax",
    "Pulmonary fibrosis",
    "Rib fracture",
    "Other lesion",
)
"""The 22 findings that a reader marks with a box."""

NO_FINDING = "No finding"
GLOBAL: tuple[str, ...] = (
    "COPD",
    "Lung tumor",
    "Pneumonia",
    "Tuberculosis",
    "Other diseases",
    NO_FINDING,
)
"""The 6 impressions of the whole image; every reader gives at least one."""

FINDINGS: tuple[str, ...] = (*LOCAL, *GLOBAL)

_OTHERWISE = {
    "other disease": "Other diseases",
    "interstitial lung disease": "ILD",
    "interstitial lung disease (ild)": "ILD",
    "enlarged pulmonary artery": "Enlarged PA",
    "chronic obstructive pulmonary disease": "COPD",
    "nodule/mass": "Nodule/Mass",
    "lung tumour": "Lung tumor",
}
_KNOWN = {name.casefold(): name for name in FINDINGS} | _OTHERWISE

CHEXPERT: Mapping[str, tuple[str, ...]] = {
    "No Finding": (NO_FINDING,),
    "Cardiomegaly": ("Cardiomegaly",),
    "Lung Opacity": ("Lung Opacity", "Infiltration"),
    "Lung Lesion": ("Nodule/Mass", "Lung tumor"),
    "Edema": ("Edema",),
    "Consolidation": ("Consolidation",),
    "Pneumonia": ("Pneumonia",),
    "Atelectasis": ("Atelectasis",),
    "Pneumothorax": ("Pneumothorax",),
    "Pleural Effusion": ("Pleural effusion",),
    "Pleural Other": ("Pleural thickening",),
    "Fracture": ("Clavicle fracture", "Rib fracture"),
}
"""CheXpert's observation -> the findings that mean it.

Enlarged Cardiomediastinum and Support Devices are none of VinDr's 28, so they stay unmentioned.
"""


def finding(spelled: str) -> str | None:
    """The finding that a file *spelled* so; None when it is none of the 28.

    Case and runs of blanks do not matter. The released training file says `Other diseases`, the
    test file `Other disease`.
    """
    return _KNOWN.get(" ".join(spelled.split()).casefold())
