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
FINDING_STATES: Final = {
    "open": Text("open", "待处理"),
    "acknowledged": Text("acknowledged", "已确认知悉"),
    "waived": Text("waived", "已豁免"),
    "resolved": Text("resolved", "已解决"),
}
HAPPENINGS: Final = {
    "raised": Text("raised", "发现"),
    "reopened": Text("raised again", "再次发现"),
    "graver": Text("became graver", "严重程度上升"),
    "untold": Text("could not be evaluated", "无法判定"),
    "resolved": Text("resolved", "已解决"),
    "acknowledged": Text("acknowledged", "确认知悉"),
    "waiver_proposed": Text("waiver proposed", "申请豁免"),
    "waiver_approved": Text("waiver approved", "批准豁免"),
    "waiver_withdrawn": Text("waiver withdrawn", "撤回豁免"),
    "waiver_expired": Text("waiver expired", "豁免到期"),
}
"""What befalls a finding, by `carnet.rules.lifecycle.Happening`."""
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
