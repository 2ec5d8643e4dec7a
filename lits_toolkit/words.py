"""Words that all messages share."""


def counted(number: int, noun: str) -> str:
    """Word a count with its plural.

    Examples:
        >>> counted(1, "case"), counted(2, "case")
        ('1 case', '2 cases')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
