"""The words for verdicts and states, the same wherever a user reads them."""

from typing import Final

from carnet.core.text import Text

CONFORMITIES: Final = {
    "conforming": Text("conforming", "合规"),
    "nonconforming": Text("NONCONFORMING", "不合规"),
    "undetermined": Text("UNDETERMINED", "无法判定"),
}
SEVERITIES: Final = {
    "blocking": Text("blocking", "阻断"),
    "major": Text("major", "重大"),
    "minor": Text("minor", "轻微"),
    "info": Text("info", "提示"),
}
VERDICTS: Final = {
    "valid": Text("valid", "有效"),
    "not_valid": Text("NOT VALID", "无效"),
    "not_checked": Text("not checked", "未核验"),
}
RECEIVABLE_STATES: Final = {
    "NONE": Text("not confirmed", "未确权"),
    "CONFIRMED": Text("confirmed", "已确权"),
    "FUNDED": Text("funded", "已放款"),
    "OVERDUE": Text("overdue", "已逾期"),
    "RECOURSE": Text("recourse", "追索中"),
    "DEFAULTED": Text("defaulted", "已违约"),
    "WRITTEN_OFF": Text("written off", "已核销"),
    "SETTLED": Text("settled", "已结清"),
    "CANCELLED": Text("cancelled", "已撤销"),
}
"""By the name of the state in the book."""
