"""What the description of the API says beyond what the code says; operation ids are its keys."""

from __future__ import annotations

from typing import Any

ABOUT = """\
Everything that the dashboard does is done through this API. `docs/api.md` explains signing in,
pages of lists, sending a command twice, locks and the stream of events, and has a script that
shoots a whole campaign.

All times are Unix times in nanoseconds, as integers. All ids are stable and never used again.
Errors are problem details (RFC 9457) with a sentence for people. Fields may be added to answers
by newer versions; none goes away.
"""

TAGS = {
    "catalogs": "The x-rays with their fixed indices.",
    "uploads": "Files of a catalog on their way to the controller.",
    "campaigns": "A catalog, a phone and a plan of subsets and environments.",
    "stations": "Monitors with their display agents, and their phones.",
    "sessions": "Runs of a subset on a station, and every command that a person may give.",
    "locks": "Who has a session or a campaign in hand.",
    "conditions": "The environment of a session: look, confirm, set, keep a picture.",
    "alignment": "The alignment shot of a session.",
    "captures": "What was captured, over all sessions.",
    "photos": "Photos as they come back from the phone.",
    "reshoot": "What must be shot again.",
    "hand": "Photos taken by hand.",
    "review": "Images that a DICOM import holds until a person has looked.",
    "datasets": "Datasets that were built.",
    "jobs": "Long work.",
    "events": "The log of events, live and in pages.",
    "audit": "Who did what, when, and what came of it.",
    "access": "Who is signed in; links and tokens.",
    "images": "X-rays by the hash of their file.",
    "phone": "What a phone agent asks.",
}

PARAMETERS: dict[str, Any] = {
    "session": "s5f1c0a9be2d74e36",
    "job": "j7a90d31f52c8e604",
    "device": "d4e1b6c02f9a87d35",
    "upload": "u81f2ab03cd954e67",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "factor": "room_light",
    "name": "nokia-1",
    "campaign": "nokia-1",
    "who": "anna",
    "X-Operator": "anna",
    "limit": 100,
    "width": 640,
    "image_id": "9f86d081884c7d659a2feaa0c55ad015",
}

PUBLIC = frozenset({"pair_phone"})
"""Open to everybody: a code is the proof."""
FINDS = frozenset({
    "create_session", "create_campaign", "import_catalog", "start_job", "list_sessions",
    "list_all_captures", "stream_events", "list_audit", "list_jobs",
})  # fmt: skip
"""Look up what the body or the query names."""
NO_CONFLICT = frozenset({"here", "tell_phone_status", "new_sign_in_link"})
CONFLICTS_ON_GET = frozenset({
    "show_pairing", "get_image", "show_evidence", "show_alignment_picture", "get_hand_photo",
    "get_image_thumbnail", "get_photo_thumbnail", "get_held_picture",
})  # fmt: skip
LIMITED = frozenset({"pair_phone"})
SLOW = frozenset({"append_photo", "append_to_file", "keep_evidence"})
BUSY = frozenset({
    "pair_phone", "list_held_images", "show_held_image", "get_held_picture", "decide_held_image",
})  # fmt: skip
FULL = frozenset({"append_photo", "append_to_file"})
LINKED = frozenset({
    "list_sessions", "list_captures", "list_all_captures", "list_photos", "list_jobs", "list_audit",
    "list_campaigns", "list_devices", "list_hand_photos",
})  # fmt: skip
_PICTURES = ("image/jpeg", "image/png")
BINARY = {
    "get_image": _PICTURES,
    "get_photo": (*_PICTURES, "application/json", "application/octet-stream"),
    "get_hand_photo": ("image/jpeg",),
    "get_held_picture": _PICTURES,
    "get_photo_thumbnail": ("image/jpeg",),
    "get_image_thumbnail": ("image/jpeg",),
    "show_evidence": (*_PICTURES, "image/webp", "application/octet-stream"),
    "show_alignment_picture": ("image/jpeg",),
    "stream_events": ("text/event-stream",),
}
_UPLOAD = {
    "Upload-Offset": "bytes of the file that are here",
    "Upload-Complete": "`?1` when it is whole, else `?0`",
}
HEADERS = {"photo_offset": _UPLOAD, "append_photo": _UPLOAD}
