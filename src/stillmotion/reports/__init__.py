"""What was found, made readable: tables on the screen and in files, figures, the demo.

Nothing is computed here that a Python user could not have had from the rooms before it.
"""
