"""The doctor: what is wrong with a case, how that is known, and what to do about it."""

from lits_toolkit.data.doctor.examine import check_case, check_cases
from lits_toolkit.data.doctor.finding import CODES, Code, Finding, has_errors
from lits_toolkit.data.doctor.repair import Repair, repair_cases

__all__ = ["CODES", "Code", "Finding", "Repair", "check_case", "check_cases", "has_errors", "repair_cases"]
