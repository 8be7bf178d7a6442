"""Record in; ``record.json``, ``report.html`` and ``card.md`` out. Never imports torch."""

from infounlearn.report.files import check_folder as check_folder
from infounlearn.report.files import read_record as read_record
from infounlearn.report.files import write_report as write_report
from infounlearn.report.summary import SummaryRow as SummaryRow
from infounlearn.report.summary import summary_rows as summary_rows

__all__ = ["SummaryRow", "check_folder", "read_record", "summary_rows", "write_report"]
