"""Words that all messages and figures share."""


def counted(number: int, noun: str) -> str:
    """Word a count with its plural, thousands apart.

    Examples:
        >>> counted(1, "case"), counted(2, "case"), counted(12345, "voxel")
        ('1 case', '2 cases', '12 345 voxels')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}".replace(",", " ")
