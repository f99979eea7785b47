"""What an operator did, in words."""

from __future__ import annotations

from rig.store.audit import Entry

NOT_NOTED = frozenset(
    {"append_photo", "append_to_file", "here", "preview_campaign", "tell_status", "unknown"}
)
"""Pieces of files (their arrival is noted elsewhere), touches of a page, looks at a plan that is
not kept, and no actions at all."""

_WORDS = {
    "abort_session": "Abort",
    "accept_alignment": "Accept the alignment as it is",
    "add_station": "Add a station",
    "align_session": "Take an alignment shot",
    "apply_conditions": "Set what devices set",
    "ask_for_campaign": "Ask for the campaign",
    "ask_for_session": "Ask for the session",
    "begin_upload": "Begin an upload",
    "build_dataset": "Build the dataset",
    "cancel_job": "Cancel a job",
    "close_batch": "Close the batch of photos",
    "conditions_form": "Fill in the checklist of the room",
    "confirm_many": "Confirm levels of the environment",
    "confirm_one": "Confirm a level of the environment",
    "create_campaign": "Plan a campaign",
    "create_session": "Create a session",
    "decide_hand_photo": "Decide what a photo shows",
    "discard_upload": "Discard an upload",
    "export_dataset": "Export a dataset",
    "give_campaign": "Hand the campaign over",
    "give_session": "Hand the session over",
    "import_catalog": "Import a catalog",
    "keep_evidence": "Keep a picture of the room",
    "make_code": "Make a code that pairs a phone",
    "make_token": "Make a token for a script",
    "new_sign_in_link": "Make a sign-in link",
    "new_token": "Make a new token for a station",
    "pair_phone_now": "Make a code that pairs a phone",
    "pause_session": "Pause after this image",
    "pause_session_now": "Pause now",
    "phone_paired": "A phone was paired",
    "plan_campaign": "Plan a campaign",
    "rearm_session": "Re-arm after an abort",
    "reshoot_listed_of_campaign": "Shoot listed photos again",
    "reshoot_listed_of_session": "Shoot listed photos again",
    "release_campaign": "Let go of the campaign",
    "release_session": "Let go of the session",
    "renew_station": "Make a new token for a station",
    "replan_campaign": "Plan the rest of the campaign anew",
    "reshoot_session": "Shoot photos again",
    "resolve_session": "Say what became of the photo in doubt",
    "resume_job": "Resume a job",
    "resume_session": "Resume",
    "revoke_device": "Sign a device out",
    "set_name": "Say a name",
    "set_release": "Say whether the phone may delete its photos",
    "sign_in": "Sign in",
    "sign_in_refused": "Sign-in refused",
    "sign_out": "Sign out",
    "start_job": "Begin a job",
    "start_session": "Start",
    "stop_session": "Stop",
    "take_back": "End an alignment shot",
    "take_campaign": "Take the campaign in hand",
    "take_session": "Take the session in hand",
    "unpair_phone": "Unpair a phone",
    "unqueue_session": "Take out of the queue",
    "waive_alignment": "Go on without a good alignment",
}
_WISHES = {
    "pause": "pause after this image", "pause_now": "pause now", "rearm": "re-arm",
}  # fmt: skip


def say(entry: Entry) -> str:
    """What was asked for, in a few words."""
    told = entry.told
    if entry.action == "requested":
        do = str(told.get("do"))
        return f"Asks for: {_WISHES.get(do, do)}"
    words = _WORDS.get(entry.action, entry.action.replace("_", " ").capitalize())
    if entry.action in {"take_session", "take_campaign"} and told.get("confirm"):
        words = words.replace("Take", "Take over", 1).replace(" in hand", "")
    if entry.action in {"give_session", "give_campaign"} and told.get("to"):
        words += f" to {told['to']}"
    if entry.action == "rearm_session" and told.get("abort_id"):
        words += f" {told['abort_id']}"
    if entry.action == "set_release":
        words = "The phone may delete its photos" if told.get("allow") else "The phone keeps them"
    return words
