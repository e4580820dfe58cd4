"""What an export can fail with."""


class ExportError(Exception):
    """It cannot be written, or asked; the message is for the user."""
