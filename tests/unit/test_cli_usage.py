"""What is wrong with a command line itself is told in both languages, with a code and a hint."""

import sys

import pytest

from carnet.cli.main import main

STATES = "'open', 'acknowledged', 'waived', 'resolved'"
HELP = "Run {} --help to see what there is."
HELP_ZH = "请运行 {} --help 查看用法。"


def _said(
    arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[object, str]:
    monkeypatch.setattr(sys, "argv", ["carnet", *arguments.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert not said.out
    return ended.value.code, said.err


@pytest.mark.parametrize(
    ("arguments", "code", "en", "zh", "hints"),
    [
        (
            "eval",
            "CRN-C-090",
            "The argument PACK is missing.",
            "缺少参数 PACK。",
            (HELP.format("carnet eval"), HELP_ZH.format("carnet eval")),
        ),
        (
            "eval --nosuch",
            "CRN-C-091",
            "There is no option --nosuch.",
            "没有选项 --nosuch。",
            (HELP.format("carnet eval"), HELP_ZH.format("carnet eval")),
        ),
        (
            "eval eu-ce --fact x",
            "CRN-C-091",
            "There is no option --fact.",
            "没有选项 --fact。",
            ("Did you mean --facts or --format?", "是否指 --facts 或 --format？"),
        ),
        (
            "eval eu-ce --as-of",
            "CRN-C-092",
            "The option --as-of needs a value.",
            "选项 --as-of 需要一个值。",
            (HELP.format("carnet"), HELP_ZH.format("carnet")),
        ),
        (
            "review --all=3",
            "CRN-C-092",
            "The option --all takes no value.",
            "选项 --all 不带值。",
            (HELP.format("carnet"), HELP_ZH.format("carnet")),
        ),
        (
            "serve --port abc",
            "CRN-C-092",
            "The value of --port cannot be used: it should be a valid integer.",
            "--port 的值无效：应为整数。",
            (HELP.format("carnet serve"), HELP_ZH.format("carnet serve")),
        ),
        (
            "serve --port 65536",
            "CRN-C-092",
            "The value of --port cannot be used: it should be less than or equal to 65535.",
            "--port 的值无效：不应大于 65535。",
            (HELP.format("carnet serve"), HELP_ZH.format("carnet serve")),
        ),
        (
            "findings list --state gone",
            "CRN-C-092",
            f"The value of --state cannot be used: 'gone' is not one of {STATES}.",
            f"--state 的值无效：'gone' 不在 {STATES} 之中。",
            (HELP.format("carnet findings list"), HELP_ZH.format("carnet findings list")),
        ),
        (
            "pack tets",
            "CRN-C-093",
            "There is no command tets.",
            "没有命令 tets。",
            ("Did you mean test?", "是否指 test？"),
        ),
        (
            "status a b",
            "CRN-C-094",
            "Nothing is expected here: a b.",
            "此处不应再有内容：a b。",
            (HELP.format("carnet status"), HELP_ZH.format("carnet status")),
        ),
    ],
)
def test_usage__is_told_in_both_languages(
    arguments: str,
    code: str,
    en: str,
    zh: str,
    hints: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CARNET_LANG", "en")
    assert _said(arguments, monkeypatch, capsys) == (2, f"{code}: {en}\n  {hints[0]}\n")
    monkeypatch.setenv("CARNET_LANG", "zh")
    assert _said(arguments, monkeypatch, capsys) == (2, f"{code}: {zh}\n  {hints[1]}\n")


def test_usage__without_a_command_is_its_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = _said("pack", monkeypatch, capsys)
    assert code == 2
    assert said.startswith("Usage: ")
    assert "CRN-" not in said


def test_usage__a_command_that_ends_early_keeps_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["carnet", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("carnet ")
