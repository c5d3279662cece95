"""The words for verdicts and states, the same wherever a user reads them."""

from typing import Final

from carnet.core.text import Text

CONFORMITIES: Final = {
    "conforming": Text("conforming", "合规"),
    "nonconforming": Text("NONCONFORMING", "不合规"),
    "undetermined": Text("UNDETERMINED", "无法判定"),
}
ADMISSIONS: Final = {
    "conforming": Text("admit", "准入"),
    "undetermined": Text("hold", "暂缓"),
    "nonconforming": Text("reject", "拒绝"),
}
"""What a verdict means for a listing."""
NOT_REVIEWED: Final = Text("not reviewed", "未审核")
"""Said of a listing that no pack decided."""
PACK_STATUSES: Final = {
    "draft": Text("draft", "草案"),
    "released": Text("released", "已发布"),
    "proposal": Text("proposal", "提案"),
}
SEVERITIES: Final = {
    "blocking": Text("blocking", "阻断"),
    "major": Text("major", "重大"),
    "minor": Text("minor", "轻微"),
    "info": Text("info", "提示"),
}
DOCUMENT_STATUSES: Final = {
    "missing": Text("missing", "缺失"),
    "present_unverified": Text("on file, not verified", "已存档未核实"),
    "not_yet_valid": Text("not valid yet", "尚未生效"),
    "valid": Text("valid", "有效"),
    "window_open": Text("renewal window open", "续期窗口已开启"),
    "window_closing": Text("renewal window closing", "续期窗口即将关闭"),
    "window_missed": Text("renewal window missed", "错过续期窗口"),
    "expired": Text("expired", "已失效"),
    "review_overdue": Text("review overdue", "复审逾期"),
    "superseded_standard": Text("standard superseded", "标准已被取代"),
    "wrong_scope": Text("wrong scope", "范围不符"),
    "wrong_body": Text("wrong body", "机构不符"),
    "wrong_language": Text("wrong language", "语言不符"),
    "revoked": Text("withdrawn or suspended", "已撤销或暂停"),
    "not_applicable": Text("not applicable", "不适用"),
    "undetermined": Text("undetermined", "无法判定"),
    "on_file": Text("on file", "已存档"),
    "found": Text("see finding", "见发现项"),
}
"""The status of a document: as packs derive it, but for the last two.

`on_file` stands where a pack derives none, `found` where a grave finding names the document.
"""
CERTIFICATE_KINDS: Final = {
    "eu_doc": Text("EU declaration of conformity", "欧盟符合性声明"),
    "simplified_doc": Text("simplified EU declaration", "简化版欧盟符合性声明"),
    "eu_type_exam_cert": Text("type-examination certificate", "型式检验证书"),
    "qa_cert": Text("certificate of production control", "生产监督证书"),
    "test_report": Text("test report", "测试报告"),
    "voluntary_cert": Text("voluntary certificate", "自愿性证书"),
    "tech_file": Text("technical documentation", "技术文件"),
    "rohs_exemption_use": Text("use of a RoHS exemption", "RoHS 豁免使用记录"),
    "un38_3_summary": Text("UN 38.3 test summary", "UN 38.3 测试概要"),
    "instructions": Text("instructions", "使用说明"),
    "labels": Text("labels and marks", "标签与标志"),
    "fcc_grant": Text("FCC grant", "FCC 授权书"),
    "fcc_sdoc": Text("supplier's declaration (FCC)", "FCC 供应商符合性声明"),
    "cpc": Text("children's product certificate", "儿童产品证书"),
    "gcc": Text("general certificate of conformity", "一般合格证书"),
    "ukca_doc": Text("UK declaration of conformity", "英国符合性声明"),
    "product_passport": Text("digital product passport", "数字产品护照"),
}
"""By the kind of a certificate."""
RENEWAL_STATES: Final = {
    "lapsed": Text("overdue", "已逾期"),
    "late": Text("too late for the laboratory", "已不足实验室周期"),
    "due": Text("start now", "须启动"),
    "planned": Text("planned", "按计划启动"),
    "unplanned": Text("plan it", "须制定计划"),
    "undetermined": Text("cannot be told", "无法判定"),
}
"""By `carnet.services.renewals.State`."""
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
