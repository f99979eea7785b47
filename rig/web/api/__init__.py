"""The JSON API, one module per noun; each has a `router`."""
