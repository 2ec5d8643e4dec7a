"""Words that all messages and figures share."""


def counted(number: int, noun: str) -> str:
    """Word a count with its plural, thousands apart.

    Examples:
        >>> counted(1, "case"), counted(2, "case"), counted(12345, "voxel")
        ('1 case', '2 cases', '12 345 voxels')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}".replace(",", " ")


def duration(seconds: float) -> str:
    """A time in the unit that suits it.

    Examples:
        >>> duration(50), duration(1000), duration(9000)
        ('50 s', '17 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
