"""What the operator sees and the agents talk to: pages, API, live events, sign-in."""
