"""Record in; ``record.json``, ``report.html`` and ``card.md`` out. Never imports torch."""

from infounlearn.report.comparison import ComparedCase as ComparedCase
from infounlearn.report.comparison import ComparedMethod as ComparedMethod
from infounlearn.report.comparison import ComparedRun as ComparedRun
from infounlearn.report.comparison import Comparison as Comparison
from infounlearn.report.comparison import Entry as Entry
from infounlearn.report.comparison import Yardstick as Yardstick
from infounlearn.report.comparison_files import check_comparison_folder as check_comparison_folder
from infounlearn.report.comparison_files import read_any as read_any
from infounlearn.report.comparison_files import read_comparison as read_comparison
from infounlearn.report.comparison_files import write_comparison as write_comparison
from infounlearn.report.files import check_folder as check_folder
from infounlearn.report.files import read_record as read_record
from infounlearn.report.files import write_report as write_report
from infounlearn.report.summary import SummaryRow as SummaryRow
from infounlearn.report.summary import summary_rows as summary_rows

__all__ = [
    "ComparedCase",
    "ComparedMethod",
    "ComparedRun",
    "Comparison",
    "Entry",
    "SummaryRow",
    "Yardstick",
    "check_comparison_folder",
    "check_folder",
    "read_any",
    "read_comparison",
    "read_record",
    "summary_rows",
    "write_comparison",
    "write_report",
]
