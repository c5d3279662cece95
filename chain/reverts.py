"""Reverts in words: custom errors of the contracts, ``Error(string)`` and ``Panic(uint256)``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from carnet.chain.contract import SELECTOR_SIZE, ContractAbi, CustomError
from carnet.core.errors import TransactionRevertedError
from carnet.core.text import Text

_ERROR_SELECTOR = bytes.fromhex("08c379a0")
_PANIC_SELECTOR = bytes.fromhex("4e487b71")
_PANIC_ARITHMETIC = 0x11
_REASON_MAX = 300


@dataclass(frozen=True, slots=True)
class Revert:
    """Why a call reverted.

    Args:
        name: The custom error, ``Error``, ``Panic``, or empty where the data says nothing.
        reason: The error with its arguments in one line.
        message: The same in words.
    """

    name: str
    reason: str
    message: Text


def _spelled(value: Any) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Mapping):
        return "(" + ", ".join(_spelled(item) for item in value.values()) + ")"
    return str(value)


def _of_custom(error: CustomError, words: Mapping[str, Text]) -> Revert:
    inner = ", ".join(f"{name}={_spelled(value)}" for name, value in error.values.items())
    reason = f"{error.name}({inner})"[:_REASON_MAX]
    known = words.get(error.name)
    if known is None:
        return Revert(error.name, reason, Text(reason, reason))
    return Revert(error.name, reason, Text(f"{known.en} [{reason}]", f"{known.zh}【{reason}】"))


def _of_builtin(data: bytes) -> Revert | None:
    try:
        if data[:SELECTOR_SIZE] == _ERROR_SELECTOR:
            text = str(decode(["string"], data[SELECTOR_SIZE:])[0])[:_REASON_MAX]
            return Revert("Error", text, Text(text, text))
        if data[:SELECTOR_SIZE] == _PANIC_SELECTOR:
            code = int(decode(["uint256"], data[SELECTOR_SIZE:])[0])
            en = "an amount overflowed" if code == _PANIC_ARITHMETIC else "an internal check failed"
            zh = "金额溢出" if code == _PANIC_ARITHMETIC else "内部检查失败"
            return Revert("Panic", f"Panic({code:#x})", Text(en, zh))
    except (DecodingError, UnicodeDecodeError):
        return None
    return None


def describe_revert(data: bytes, abis: Iterable[ContractAbi], words: Mapping[str, Text]) -> Revert:
    """Return what revert data means under the errors of some contracts.

    Args:
        data: What the call returned when it reverted.
        abis: Every contract that may have raised it, since errors pass through callers.
        words: What each custom error means, by its name.
    """
    for abi in abis:
        custom = abi.decode_error(data)
        if custom is not None:
            return _of_custom(custom, words)
    builtin = _of_builtin(data)
    if builtin is not None:
        return builtin
    shown = "0x" + data[:_REASON_MAX].hex() if data else "no reason given"
    return Revert("", shown, Text(shown, shown if data else "未说明原因"))


def explained(
    error: TransactionRevertedError, abis: Iterable[ContractAbi], words: Mapping[str, Text]
) -> TransactionRevertedError:
    """Return the same error with its revert data turned into words."""
    try:
        data = bytes.fromhex(error.reason.removeprefix("0x"))
    except ValueError:
        return error
    revert = describe_revert(data, abis, words)
    return TransactionRevertedError(
        "CRN-H-005",
        Text(f"The contract refused: {revert.message.en}.", f"合约拒绝执行：{revert.message.zh}。"),
        Text(
            "Look at the state with `carnet chain status` and `carnet receivable show`; nothing "
            "was changed.",
            "请用 `carnet chain status` 和 `carnet receivable show` 查看状态；未作任何更改。",
        ),
        reason=revert.reason,
    )
