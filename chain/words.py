"""What each custom error of the contracts means, in words."""

from collections.abc import Mapping
from types import MappingProxyType

from carnet.core.text import Text

ERROR_WORDS: Mapping[str, Text] = MappingProxyType(
    {
        "AddressInvalid": Text("an address is empty or not allowed", "地址为空或不被允许"),
        "ChangeNotDue": Text(
            "this change was not announced, or its waiting time is not over",
            "该变更尚未公告，或等待期未满",
        ),
        "SignatureInvalid": Text(
            "the signature does not come from the key that must sign",
            "签名不是由应当签署的密钥作出的",
        ),
        "NotCompliance": Text(
            "the signer does not hold the compliance role", "签署人不具备合规角色"
        ),
        "NonceUsed": Text("this signed statement was used already", "该签名声明已被使用"),
        "DeadlinePassed": Text("the signed statement has expired", "签名声明已过期"),
        "DeadlineTooFar": Text(
            "the signed statement would stay valid for too long", "签名声明的有效期过长"
        ),
        "FindingCodeInvalid": Text(
            "the code of the finding does not fit here", "发现项代码不适用于此"
        ),
        "FindingNotCurrent": Text(
            "the finding is from the future, too old, or older than the last one",
            "发现项的时间在未来、已过旧，或早于上一个发现项",
        ),
        "NotOriginOwner": Text(
            "another account owns the origin of this log", "该日志的来源由另一账户持有"
        ),
        "NotPendingOwner": Text(
            "the origin was not offered to this account", "该来源并未移交给此账户"
        ),
        "OriginTaken": Text("the origin already has an owner", "该来源已有持有人"),
        "SizeNotIncreasing": Text(
            "a tree of this size or a larger one is anchored already",
            "已锚定同样大小或更大的树",
        ),
        "RootIsZero": Text("the root is empty", "根哈希为空"),
        "OriginNotTrusted": Text("the gate does not trust this log", "合规闸门不信任该日志"),
        "OriginOwnerUnexpected": Text(
            "the log's origin belongs to another account than the gate trusts",
            "该日志来源的持有人不是合规闸门所信任的账户",
        ),
        "NotIncluded": Text(
            "the entry is not shown to be in the anchored log", "未能证明该条目在已锚定的日志中"
        ),
        "TextMalformed": Text(
            "a text holds characters that are not allowed", "文本含有不允许的字符"
        ),
        "ValidityInvalid": Text(
            "the validity of the attestation is empty or too long", "证明的有效期为空或过长"
        ),
        "AttestationNotNewer": Text(
            "an attestation that is at least as recent is stored already",
            "已存有同样新或更新的证明",
        ),
        "AlreadyRegistered": Text(
            "this document is registered already: it cannot be financed twice",
            "该凭证已登记：不得重复融资",
        ),
        "StateUnexpected": Text(
            "the receivable is not in the state this needs", "应收账款的状态不允许此操作"
        ),
        "FaceIsZero": Text("the face value is zero", "面值为零"),
        "DueDayOutOfRange": Text(
            "the due day is not within one year from tomorrow", "到期日不在明天起一年之内"
        ),
        "RateOutOfRange": Text("a rate is above its limit", "费率超过上限"),
        "BasisInvalid": Text("the day-count basis must be 360 or 365", "计息基准必须为 360 或 365"),
        "GraceOutOfRange": Text("the days of grace are above their limit", "宽限天数超过上限"),
        "PlatformUnknown": Text(
            "no signing key is set for this platform", "尚未设置该平台的签名密钥"
        ),
        "SellerFrozen": Text("the seller is frozen for new registrations", "该卖家暂停新的登记"),
        "DepositInsufficient": Text(
            "the seller's quality deposit does not cover this face value",
            "卖家的质量保证金不足以覆盖该面值",
        ),
        "NotSeller": Text("only the seller may do this", "只有卖家可以执行此操作"),
        "FundedTooEarly": Text(
            "a receivable is funded one UTC day after its confirmation at the earliest (T+1)",
            "应收账款最早在确权次日（T+1，按 UTC）放款",
        ),
        "FundedTooLate": Text(
            "it is too close to the due day to fund it", "距到期日过近，不能放款"
        ),
        "ReceivableFrozen": Text(
            "the receivable is frozen by a compliance finding", "该应收账款因合规发现项被冻结"
        ),
        "NotFrozen": Text("the receivable is not frozen", "该应收账款未被冻结"),
        "NotEligible": Text(
            "no conforming attestation of the listing is proved and recent enough",
            "该上架商品没有已出示且足够新的合规证明",
        ),
        "FaceInsufficient": Text(
            "so much was paid before funding that the rest of the face does not cover the loan",
            "放款前已收到的款项过多，剩余面值不足以覆盖融资本息及费用",
        ),
        "HoldNotReleased": Text(
            "money of this receivable is on hold and must be released first",
            "该应收账款有暂扣款项，须先释放",
        ),
        "TermsOutOfBounds": Text(
            "the terms are not within what the lender accepts", "条款超出资金方可接受的范围"
        ),
        "PullNotAuthorised": Text(
            "the seller has not authorised the recourse pull", "卖家尚未授权追索扣款"
        ),
        "LenderIsSeller": Text(
            "the lender and the seller are the same account", "资金方与卖家是同一账户"
        ),
        "AmountIsZero": Text("the amount is zero", "金额为零"),
        "NothingOwed": Text("nothing is owed any more", "已无欠款"),
        "NothingToSweep": Text("the lockbox is empty", "专用收款地址为空"),
        "NothingToClaim": Text("there is nothing to claim", "没有可提取的款项"),
        "TransferInexact": Text(
            "the token moved another amount than was asked", "代币实际转移的金额与要求不符"
        ),
        "NotBook": Text("only the book may do this", "只有账簿合约可以执行此操作"),
        "EnforcedPause": Text("the contract is paused", "合约已暂停"),
        "ExpectedPause": Text("the contract is not paused", "合约未暂停"),
        "AccessControlUnauthorizedAccount": Text(
            "the account lacks the role this needs", "账户缺少所需的角色"
        ),
        "ERC20InsufficientBalance": Text(
            "the account holds too little of the token", "账户代币余额不足"
        ),
        "ERC20InsufficientAllowance": Text(
            "the account has approved too little of the token", "账户授权的代币额度不足"
        ),
        "SafeERC20FailedOperation": Text("a transfer of the token failed", "代币转账失败"),
    }
)
