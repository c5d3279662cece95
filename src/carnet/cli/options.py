"""Options that several commands share, spelled once."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from carnet.cli.language import t

OutputFormat = Literal["table", "json"]
ListFormat = Literal["table", "json", "csv"]
ReportFormat = Literal["table", "json", "csv", "sarif", "junit"]
ReviewFormat = Literal["table", "json", "csv", "sarif", "junit", "html"]
MarketName = Literal["EU", "US", "GB", "KR", "JP", "AU"]
STDOUT = Path("-")

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-w",
        envvar="CARNET_WORKSPACE",
        help=t(
            "The workspace folder; default: the present folder.", "工作区文件夹；默认为当前文件夹。"
        ),
    ),
]
LanguageOption = Annotated[
    str | None,
    typer.Option("--lang", metavar="en|zh", help=t("Language of the output.", "输出语言。")),
]
"""Declared for the help alone: `carnet.cli.language` reads --lang from the whole command line,
before any command runs. The commands therefore name it ``_lang``, an argument they do not use."""

FormatOption = Annotated[
    OutputFormat,
    typer.Option("--format", help=t("How to print the result.", "结果的输出格式。")),
]
ListFormatOption = Annotated[
    ListFormat,
    typer.Option("--format", help=t("How to print the result.", "结果的输出格式。")),
]
ReportFormatOption = Annotated[
    ReportFormat,
    typer.Option(
        "--format",
        help=t(
            "How to write the result: csv for spreadsheets, sarif and junit for other tools.",
            "结果的输出格式：csv 供电子表格使用，sarif 与 junit 供其他工具使用。",
        ),
    ),
]
ReviewFormatOption = Annotated[
    ReviewFormat,
    typer.Option(
        "--format",
        help=t(
            "How to write the result: csv for spreadsheets, sarif and junit for other tools, html "
            "for one page that is read and printed without a network.",
            "结果的输出格式：csv 供电子表格使用，sarif 与 junit 供其他工具使用，"
            "html 为可离线阅读和打印的单个网页。",
        ),
    ),
]
OutputOption = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE|-",
        help=t("Where to; - is stdout.", "输出位置；- 为标准输出。"),
    ),
]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="YYYY-MM-DD",
        help=t(
            "The date the decision is made for; default: today (UTC).",
            "判定所依据的日期；默认为今天（UTC）。",
        ),
    ),
]
FactsOption = Annotated[
    Path | None,
    typer.Option(
        "--facts",
        metavar="FILE|FOLDER|-",
        help=t(
            "Facts as JSON or NDJSON, - for stdin; or CSV, XLSX or Parquet, one file or a "
            "folder of them; default: those of the workspace.",
            "JSON 或 NDJSON 格式的事实，- 表示标准输入；或 CSV、XLSX、Parquet 文件，"
            "亦可为其所在文件夹；默认为工作区中的事实。",
        ),
    ),
]
EngineOption = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="reference|live|bulk|spark",
        help=t("Which engine decides; all agree.", "使用的引擎；各引擎结果一致。"),
    ),
]
MarketOption = Annotated[
    MarketName | None,
    typer.Option("--market", help=t("Only listings of this market.", "仅限该市场的上架商品。")),
]
