"""XCAP/1, the capture protocol: standard library only, sans-IO cores, thin asyncio shells.

Kept to the syntax and modules of Python 3.10, because the phone agent carries it to Termux.
"""
