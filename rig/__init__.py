"""capture-rig: digital chest x-rays in, labelled smartphone photos out.

Import-light on purpose: the phone agent carries this file in its zipapp.
"""

__version__ = "0.1.0"
