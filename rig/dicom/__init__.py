"""DICOM: read, decode, render, and make what may leave the hospital of it.

Nothing in this room knows catalogs or the store. What identifies a person stays inside the
functions here: their results, exceptions and sentences hold no header text and no file name.
"""
