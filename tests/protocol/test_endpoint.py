"""What both cores share: connections, timers, and waiting for the journal."""

from __future__ import annotations

import pytest

from rig.protocol.actions import AppendJournal, LocalProtocolError, SendDatagram, WrongCommand
from rig.protocol.codes import MessageType, Timers
from rig.protocol.datagram import Datagram, decode
from rig.protocol.endpoint import Connection, Endpoint

A, B = ("a", 1), ("b", 2)
OUT, IN = b"o" * 32, b"i" * 32
PING = Datagram(MessageType.PING)


def _pair() -> tuple[Connection, Connection]:
    mine = Connection(b"conn-id.", OUT, IN, B, 0.0, Timers())
    theirs = Connection(b"conn-id.", IN, OUT, A, 0.0, Timers())
    return mine, theirs


class Plain(Endpoint):
    """An endpoint that notes what it is given."""

    def __init__(self) -> None:
        super().__init__(Timers(), bytes)
        self.seen: list[object] = []

    def note(self, what: object, *, lossy: bool = False) -> list[object]:
        return self._input(self.seen.append, what, lossy=lossy)

    def write(self, name: str) -> list[object]:
        return self._input(self._append, [{"k": name}], lambda now: self.seen.append((name, now)))

    def timer(self, name: str, at: float, handler) -> None:
        self._on_timer[name] = handler
        self._after(name, 0.0, at)


# -- connections -----------------------------------------------------------------------------------


def test_packet_numbers_rise_with_every_transmission():
    mine, _ = _pair()
    sealed = [mine.seal(PING, 0.0) for _ in range(3)]
    assert [pn for pn, _ in sealed] == [1, 2, 3]
    assert [decode(data, OUT).pn for _, data in sealed] == [1, 2, 3]


def test_a_datagram_opens_once():
    mine, theirs = _pair()
    _, data = mine.seal(PING, 0.0)
    assert theirs.open(data, A, 1.0) == Datagram(MessageType.PING, conn_id=b"conn-id.", pn=1)
    assert theirs.open(data, A, 2.0) is None
    assert theirs.last_heard == 1.0


def test_a_reflected_datagram_does_not_open():
    """Directional keys: what we sent is nobody's word to us."""
    mine, _ = _pair()
    _, data = mine.seal(PING, 0.0)
    assert mine.open(data, B, 1.0) is None
    assert mine.last_heard == 0.0


def test_the_peer_s_address_is_that_of_its_newest_datagram():
    """Address is not identity; an older datagram from elsewhere moves nothing."""
    mine, theirs = _pair()
    first, second, third = (mine.seal(PING, 0.0)[1] for _ in range(3))
    theirs.open(first, A, 0.0)
    theirs.open(third, ("roamed", 3), 0.0)
    assert (theirs.addr, theirs.other) == (("roamed", 3), A)
    theirs.open(second, A, 0.0)
    assert theirs.addr == ("roamed", 3)


def test_retransmissions_alternate_between_both_known_addresses():
    mine, _ = _pair()
    assert [mine.target(n) for n in range(3)] == [B, B, B]
    mine.hint(("rumour", 4))
    assert [mine.target(n) for n in range(4)] == [B, ("rumour", 4), B, ("rumour", 4)]


def test_an_answer_that_names_its_question_measures_the_round_trip():
    mine, theirs = _pair()
    pn, data = mine.seal(PING, 1.0)
    theirs.open(data, A, 1.0)
    _, reply = theirs.seal(Datagram(MessageType.PONG, ack_pn=pn), 1.0)
    mine.open(reply, B, 1.25)
    assert mine.round_trip.smoothed == pytest.approx(0.25)


# -- the journal -----------------------------------------------------------------------------------


def test_inputs_wait_while_the_journal_is_being_written():
    """A core never says anything that rests on a record before it is durable."""
    core = Plain()
    written = core.write("ONE")
    assert written == [AppendJournal(1, ({"k": "ONE"},))]
    assert core.note("a") == []
    assert core.write("TWO") == []
    core.note("b")
    assert core.seen == []
    assert core.journal_written(1, 5.0) == [AppendJournal(2, ({"k": "TWO"},))]
    assert core.seen == [("ONE", 5.0), "a"]
    core.journal_written(2, 6.0)
    assert core.seen == [("ONE", 5.0), "a", ("TWO", 6.0), "b"]


def test_a_waiting_command_that_became_senseless_harms_nothing():
    """The person who gave it is not there any more; what waits behind it is handled."""
    endpoint = Plain()
    endpoint.write("A")

    def refuse() -> None:
        raise WrongCommand("too late")

    endpoint._input(refuse)
    endpoint.note("next")
    endpoint.journal_written(1, 1.0)
    assert endpoint.seen == [("A", 1.0), "next"]


def test_only_datagrams_may_be_dropped_when_too_many_wait():
    """They will be sent again; a camera's result will not."""
    core = Plain()
    core.write("ONE")
    for n in range(100):
        core.note(n, lossy=True)
    core.note("camera")
    core.journal_written(1, 0.0)
    assert core.seen[1:] == [*range(64), "camera"]


@pytest.mark.parametrize("ticket", [0, 2])
def test_an_unknown_ticket_is_our_own_defect(ticket: int):
    core = Plain()
    core.write("ONE")
    with pytest.raises(LocalProtocolError, match="ticket"):
        core.journal_written(ticket, 0.0)


def test_a_ticket_counts_once():
    core = Plain()
    core.write("ONE")
    core.journal_written(1, 0.0)
    with pytest.raises(LocalProtocolError):
        core.journal_written(1, 0.0)


def test_a_second_write_before_the_first_is_durable_is_our_own_defect():
    core = Plain()
    core.write("ONE")
    with pytest.raises(LocalProtocolError, match="second journal write"):
        core._append([], lambda now: None)


def test_what_rests_on_a_record_is_told_when_it_is_durable():
    core = Plain()
    core._emit_durable("later")
    core._emit("now")
    core._append([{"k": "ONE"}], lambda now: None)
    assert core._flush() == ["now", AppendJournal(1, ({"k": "ONE"},))]
    assert core.journal_written(1, 0.0) == ["later"]


# -- timers ----------------------------------------------------------------------------------------


def test_the_next_deadline_is_the_earliest():
    core = Plain()
    assert core.next_deadline() is None
    core.timer("late", 2.0, core.seen.append)
    core.timer("soon", 1.0, core.seen.append)
    assert core.next_deadline() == 1.0
    core.timer_fired(0.5)
    assert core.seen == []
    core.timer_fired(1.0)
    assert core.seen == [1.0]
    assert core.next_deadline() == 2.0


def test_no_timer_fires_while_the_journal_is_being_written():
    core = Plain()
    core.timer("soon", 1.0, core.seen.append)
    core.write("ONE")
    assert core.next_deadline() is None
    core.timer_fired(5.0)
    assert core.seen == []
    core.journal_written(1, 6.0)
    assert core.next_deadline() == 1.0


def test_a_timer_that_writes_holds_back_the_others():
    core = Plain()
    core.timer("write", 1.0, lambda now: core._append([], lambda then: None))
    core.timer("other", 1.0, core.seen.append)
    core.timer_fired(2.0)
    assert core.seen == []
    core.journal_written(1, 3.0)
    core.timer_fired(3.0)
    assert core.seen == [3.0]


def test_a_timer_that_another_cancels_or_moves_does_not_fire():
    """Both were due at once; the first one's word counts."""
    core = Plain()
    core.timer("first", 1.0, lambda now: (core._cancel("gone"), core._after("moved", now, 5.0)))
    core.timer("gone", 1.0, core.seen.append)
    core.timer("moved", 1.0, core.seen.append)
    core.timer_fired(1.0)
    assert core.seen == []
    assert core.next_deadline() == 6.0


def test_a_plain_send_goes_to_the_newest_address():
    core, (mine, _) = Plain(), _pair()
    core._send(mine, PING, 0.0)
    sent = core._flush()
    assert isinstance(sent[0], SendDatagram)
    assert sent[0].addr == B
