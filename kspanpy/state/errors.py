"""Why a state can not be used."""


class UnusableStateError(Exception):
    """A file is damaged, of another build, or not ours. The text says which; it is safe to show."""
