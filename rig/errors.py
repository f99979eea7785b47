"""The one error a person is meant to read."""


class UserError(Exception):
    """Bad usage or input, told in one sentence: what happened, where, what to do next.

    Commands print it and exit with 2; the web answers 4xx problem details with it.
    """
