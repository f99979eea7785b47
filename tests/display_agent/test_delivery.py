"""What is on its way, and what must go again."""

from __future__ import annotations

from display_agent.delivery import WINDOW, Delivery


def test_acks_move_forward_only():
    """A late lower ack is true and tells nothing new."""
    delivery = Delivery(sent=9)
    delivery.ack(5, 1.0)
    delivery.ack(3, 2.0)
    assert (delivery.acked, delivery.sent) == (5, 9)


def test_an_ack_beyond_what_was_sent_moves_sending_along():
    """The controller had them from an earlier connection."""
    delivery = Delivery(sent=2)
    delivery.ack(7, 1.0)
    assert (delivery.acked, delivery.sent) == (7, 7)


def test_a_new_connection_goes_on_where_the_controller_ends():
    """Forward silently, backward (restored from a backup) with a word."""
    delivery = Delivery(acked=5, sent=9)
    assert not delivery.resume(6, 1.0)
    assert (delivery.acked, delivery.sent) == (6, 6)
    assert delivery.resume(2, 2.0)
    assert (delivery.acked, delivery.sent) == (2, 2)


def test_the_window_bounds_what_is_on_its_way():
    """Room comes back with the acks."""
    delivery = Delivery()
    delivery.sending(WINDOW, 0.0)
    assert delivery.room == 0
    delivery.ack(10, 1.0)
    assert delivery.room == 10


def test_silence_makes_unconfirmed_events_go_again():
    """Counted from the last progress, not from the last sending."""
    delivery = Delivery()
    delivery.sending(1, 0.0)
    delivery.sending(2, 9.0)
    assert not delivery.rewind_if_stalled(9.9, 10.0)
    assert delivery.rewind_if_stalled(10.0, 10.0)
    assert delivery.sent == 0
    assert not delivery.rewind_if_stalled(99.0, 10.0)
