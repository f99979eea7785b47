"""ARM on the phone: who may replace the live connection, and what becomes of the photo in doubt.

The display decided on a view of the phone's books (READY); if they have moved meanwhile the phone
says READY again instead of ARMED. Everything that ARM settles is one journal write (section 5).
"""

from __future__ import annotations

from abc import ABC
from functools import partial

from rig.protocol import actions as act
from rig.protocol.codes import Code, Flag, MessageType
from rig.protocol.datagram import Datagram, Scalar, canonical, parse_payload
from rig.protocol.endpoint import Connection
from rig.protocol.journal import Record
from rig.protocol.ledger import PhoneLedger, Run, Shot
from rig.protocol.payload import hex_field, number_field
from rig.protocol.phone_base import committed_event
from rig.protocol.phone_handshake import PhoneHandshake


class PhoneArming(PhoneHandshake, ABC):
    """Makes a candidate the live connection; `PhoneCore` adds exposures."""

    def _on_arm(self, connection: Connection, d: Datagram, now: float) -> None:
        latch = self.ledger.latch
        if connection is self._live and latch is None:
            self._send_armed(connection, d, now)
            return
        rearmed = bool(d.flags & Flag.REARM) and latch is not None and d.digest == latch.abort_id
        if latch is not None and not rearmed:
            self._send_abort(connection, now)
            return
        if connection is self._live:
            return  # re-arming takes a new handshake
        arm = _checked(parse_payload(d.payload))  # all of it, before anything is changed
        campaign = hex_field(arm, "campaign_id", 8)
        run = self.ledger.run(campaign, d.subset)
        records = self._void_open("armed anew")
        clear: list[Record] = [{"k": "CLEAR", "id": latch.abort_id.hex()}] if latch else []
        refusal = self._refuse_arm(run, d, arm)
        if refusal is not None:
            self._promote(connection)
            self._apply([*records, *clear])
            self._abort(*refusal, None, None, before=[*records, *clear])
            return
        settled = self._resolve(run, arm)
        if settled is None:
            self._apply(records)
            candidate = self._candidates[connection.conn_id]
            ready = partial(self._send_ready, candidate, campaign, d.subset, d.pn)
            if records:
                self._append(records, ready)
            else:
                ready(now)
            return
        chain = self._chain_if(run, settled, campaign, d, arm)
        if chain[:8] != d.chain:
            self._promote(connection)
            self._apply([*records, *clear])
            why = "the display's history of this subset differs from the phone's"
            self._abort(Code.CHAIN_MISMATCH, why, None, None, before=[*records, *clear])
            return
        if run is None:
            records.append(_run_record(campaign, d.subset, arm))
        else:
            self._tell_settled(run.doubtful, settled)
        records.append({"k": "ARM", "camp": campaign.hex(), "sub": d.subset})
        records.extend(settled)
        records.extend(clear)
        if latch is not None:
            self._emit_durable(act.Rearmed(latch.abort_id))
        self._apply(records)
        self._promote(connection)
        self._append(records, partial(self._armed, connection, d))

    def _refuse_arm(
        self, run: Run | None, d: Datagram, arm: dict[str, Scalar]
    ) -> tuple[Code, str] | None:
        first, last = number_field(arm, "first"), number_field(arm, "last")
        manifest = hex_field(arm, "manifest", 32)
        if self._cfg.campaign not in (b"", hex_field(arm, "campaign_id", 8)):
            why = "this pairing is bound to another campaign; pair the phone again"
            return Code.CAMPAIGN_MISMATCH, why
        if not first <= last or not first <= d.index <= last + 1:
            return Code.PROTOCOL, f"armed for index {d.index} outside {first}..{last}"
        if run is not None and (run.first, run.last, run.manifest) != (first, last, manifest):
            return Code.MANIFEST_MISMATCH, (
                f"subset {d.subset} was begun with another list of x-rays; "
                "finish it with the plan it was begun with"
            )
        return None

    def _resolve(self, run: Run | None, arm: dict[str, Scalar]) -> list[Record] | None:
        """Records that settle the photo in doubt; None when the display decided on an old view."""
        doubtful = run.doubtful if run else None
        view = (number_field(arm, "view_committed"), arm.get("view_sha"))
        mine = (run.committed if run else 0, doubtful.sha256.hex() if doubtful else None)
        if view != mine:
            return None
        if run is None or doubtful is None:
            return []
        key: dict[str, Scalar] = {"i": doubtful.index, "a": doubtful.attempt}
        if arm.get("resolution") == "commit":
            return [{"k": "COMMIT", **key}]
        if arm.get("resolution") == "void":
            return [self._void(run, (doubtful.index, doubtful.attempt), "display")]
        return None

    def _tell_settled(self, doubtful: Shot | None, settled: list[Record]) -> None:
        """What is to be heard and done once the decision is durable."""
        if doubtful is not None and settled[0]["k"] == "COMMIT":
            self._emit_durable(committed_event(doubtful))
        elif doubtful is not None:
            self._emit_durable(act.Quarantine(doubtful.name))

    def _chain_if(
        self,
        run: Run | None,
        settled: list[Record],
        campaign: bytes,
        d: Datagram,
        arm: dict[str, Scalar],
    ) -> bytes:
        """The chain as it will stand once *settled* is applied."""
        if run is None:
            probe = PhoneLedger([_run_record(campaign, d.subset, arm)])
            return probe.runs[campaign, d.subset].chain
        doubtful = run.doubtful
        if doubtful is not None and settled and settled[0]["k"] == "COMMIT":
            return run.chain_after(doubtful)
        return run.chain

    def _promote(self, connection: Connection) -> None:
        self._live = connection
        self._finish_pn = 0
        self._candidates.clear()
        self._settle_con()

    def _armed(self, connection: Connection, d: Datagram, now: float) -> None:
        run = self._run()
        self._emit(act.Armed(run.subset, run.expected, run.last, run.session))
        self._send_armed(connection, d, now)

    def _send_armed(self, connection: Connection, d: Datagram, now: float) -> None:
        run = self._run()
        armed = Datagram(
            MessageType.ARMED,
            ack_pn=d.pn,
            subset=run.subset,
            index=run.expected,
            chain=run.chain[:8],
            payload=canonical({"committed": run.committed}),
        )
        self._send(connection, armed, now)


def _checked(arm: dict[str, Scalar]) -> dict[str, Scalar]:
    """*arm* if all that is read of it has its form; BadDatagram if not."""
    for name, size in (("campaign_id", 8), ("manifest", 32)):
        hex_field(arm, name, size)
    for name in ("first", "last", "view_committed"):
        number_field(arm, name)
    return arm


def _run_record(campaign: bytes, subset: int, arm: dict[str, Scalar]) -> Record:
    return {
        "k": "RUN", "camp": campaign.hex(), "sub": subset, "first": arm["first"],
        "last": arm["last"], "man": arm["manifest"], "env": str(arm.get("env_id", "")),
        "ses": str(arm.get("session", "")),
    }  # fmt: skip
