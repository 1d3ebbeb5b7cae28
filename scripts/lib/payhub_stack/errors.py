"""The one way in which a step says that it failed."""


class StackError(Exception):
    """Found, expected and what to do, in words for the person at the
    terminal; `log` names the file whose end tells more."""

    def __init__(self, text, log=None):
        super().__init__(text)
        self.log = log
