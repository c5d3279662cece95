"""What is wrong with a command line itself, told as every other error: both languages, code, hint.

The parser names its errors in English alone and keeps their classes to itself, so that they are
told apart by what they carry.
"""

import re
from collections.abc import Sequence
from typing import Any

from typer.exceptions import TyperException

from carnet.core.errors import InputError
from carnet.core.text import Text

_VALUES: tuple[tuple[str, str], ...] = (
    (r"Input should be a valid integer.*", "应为整数"),
    (r"Input should be a valid number.*", "应为数字"),
    (r"Input should be a valid boolean.*", "应为是或否"),
    (r"Input should be a valid date.*", "应为日期"),
    (r"Input should be less than or equal to (\S+)", r"不应大于 \1"),
    (r"Input should be greater than or equal to (\S+)", r"不应小于 \1"),
    (r"(.+) is not one of (.+)", r"\1 不在 \2 之中"),
    (r"Input should be (.+)", r"应为 \1"),
    (r"\w+ (.+) does not exist\.?", r"\1 不存在"),
    (r"\w+ (.+) is a file\.?", r"\1 是文件"),
    (r"\w+ (.+) is a directory\.?", r"\1 是文件夹"),
    (r"\w+ (.+) is not readable\.?", r"\1 无法读取"),
)
"""What the parser says of a value, as patterns, and the same in Chinese."""


def is_help(error: TyperException) -> bool:
    """Return whether it is no error but the help of a command that was given nothing to do."""
    return type(error).__name__ == "NoArgsIsHelpError"


def usage_failure(error: TyperException) -> InputError:
    """Return an error of the parser as one of ours."""
    for tell in (_missing, _option, _value, _command, _extra):
        found = tell(error)
        if found is not None:
            return found
    text = error.format_message().rstrip(".")
    return InputError(
        "CRN-C-095",
        Text(f"The command line is wrong: {text}.", f"命令行有误：{text}。"),
        _help_of(error),
    )


def _help_of(error: TyperException) -> Text:
    context: Any = getattr(error, "ctx", None)
    command = f"{context.command_path if context is not None else 'carnet'} --help"
    return Text(f"Run {command} to see what there is.", f"请运行 {command} 查看用法。")


def _shown(parameter: Any) -> str:
    """Return a parameter as it is written on a command line."""
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name).upper()


def _missing(error: TyperException) -> InputError | None:
    parameter: Any = getattr(error, "param", None)
    if type(error).__name__ != "MissingParameter" or parameter is None:
        return None
    name = _shown(parameter)
    is_option = parameter.param_type_name == "option"
    return InputError(
        "CRN-C-090",
        Text(
            f"The {'option' if is_option else 'argument'} {name} is missing.",
            f"缺少{'选项' if is_option else '参数'} {name}。",
        ),
        _help_of(error),
    )


def _did_you_mean(names: Sequence[str]) -> Text:
    found = sorted(names)
    return Text(f"Did you mean {' or '.join(found)}?", f"是否指 {' 或 '.join(found)}？")


def _option(error: TyperException) -> InputError | None:
    name = getattr(error, "option_name", None)
    if name is None:
        return None
    if type(error).__name__ == "NoSuchOption":
        alike: Sequence[str] = getattr(error, "possibilities", None) or ()
        return InputError(
            "CRN-C-091",
            Text(f"There is no option {name}.", f"没有选项 {name}。"),
            _did_you_mean(alike) if alike else _help_of(error),
        )
    message = Text(f"The option {name} needs a value.", f"选项 {name} 需要一个值。")
    if "does not take a value" in error.message:
        message = Text(f"The option {name} takes no value.", f"选项 {name} 不带值。")
    return InputError("CRN-C-092", message, _help_of(error))


def _value(error: TyperException) -> InputError | None:
    parameter: Any = getattr(error, "param", None)
    if parameter is None:
        return None
    en = error.message.rstrip(".").removeprefix("Value error, ").partition(", unable to parse")[0]
    name = _shown(parameter)
    return InputError(
        "CRN-C-092",
        Text(
            f"The value of {name} cannot be used: {en.replace('Input should', 'it should')}.",
            f"{name} 的值无效：{_in_chinese(en)}。",
        ),
        _help_of(error),
    )


def _in_chinese(message: str) -> str:
    for pattern, zh in _VALUES:
        found = re.fullmatch(pattern, message)
        if found:
            return found.expand(zh)
    return message


def _command(error: TyperException) -> InputError | None:
    match = re.match(r"No such command '(.*?)'\.?(?: Did you mean (.*)\?)?$", error.message)
    if match is None:
        return None
    name, alike = match.groups()
    return InputError(
        "CRN-C-093",
        Text(f"There is no command {name}.", f"没有命令 {name}。"),
        _did_you_mean(re.findall(r"'([^']+)'", alike)) if alike else _help_of(error),
    )


def _extra(error: TyperException) -> InputError | None:
    match = re.match(r"Got unexpected extra argument\S* \((.*)\)", error.message, re.DOTALL)
    if match is None:
        return None
    words = match[1]
    return InputError(
        "CRN-C-094",
        Text(f"Nothing is expected here: {words}.", f"此处不应再有内容：{words}。"),
        _help_of(error),
    )
