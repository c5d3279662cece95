"""Settings of a workspace: carnet.toml, overridden by CARNET_* variables of the environment.

No setting is a secret. A passphrase comes from CARNET_PASSPHRASE or a prompt; a database password
from the address in CARNET_DATABASE_URL, from PGPASSWORD or from ~/.pgpass.
"""

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from carnet.core.errors import InputError
from carnet.core.text import Text

SETTINGS_FILE: Final = "carnet.toml"
SETTINGS_SIZE_MAX: Final = 64 * 1024
ENVIRONMENT_PREFIX: Final = "CARNET_"
PASSPHRASE_VARIABLE: Final = "CARNET_PASSPHRASE"  # noqa: S105 - the name of a variable
MEBIBYTE: Final = 1024 * 1024


def _language(value: object) -> object:
    """Return the language of a locale such as zh_CN.UTF-8, as the command line understands it."""
    prefix = value.lower()[:2] if isinstance(value, str) else ""
    return prefix if prefix in {"en", "zh"} else value


class Settings(BaseSettings):
    """What can be set for a workspace, with defaults that need no server."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, env_ignore_empty=True, extra="forbid", frozen=True
    )

    database_url: str = Field(
        default="",
        repr=False,  # from the environment it may hold a password
        description="Where facts, records and the log are stored: `sqlite:///FILE` (relative to "
        "the workspace) or `postgresql://USER@HOST/DATABASE`. Empty: `carnet.db` in the workspace. "
        "A password is refused in carnet.toml; use the environment, PGPASSWORD or ~/.pgpass.",
    )
    database_wait_s: int = Field(
        default=30,
        ge=1,
        le=600,
        description="Seconds that a writer waits for another one before it gives up.",
    )
    key_file: str = Field(
        default="keys/workspace.key",
        description="The file of 32 random bytes that unlocks the keys of the workspace, relative "
        "to it. Empty: the keys are locked with a passphrase (CARNET_PASSPHRASE or a prompt).",
    )
    lang: Annotated[Literal["", "en", "zh"], BeforeValidator(_language)] = Field(
        default="",
        description="Language of output where neither `--lang` nor CARNET_LANG names one. Empty: "
        "that of the system.",
    )
    log_origin: str = Field(
        default="carnet.example/log",
        pattern=r"^[!-*,-~]{1,255}$",
        description="The name of the log in its checkpoints (C2SP signed notes) and anchors: no "
        "space, no plus sign. Choose it before the first checkpoint; lenders pin it.",
    )
    status_list_days: int = Field(
        default=7,
        ge=1,
        le=365,
        description="Days through which a status list holds. What it says of a record counts until "
        "then; a shorter time shows a revocation sooner and asks for more lists.",
    )
    rpc_url: str = Field(
        default="",
        repr=False,  # from the environment it may hold a password
        description="The RPC address of an Ethereum node. Empty: a development node (anvil) that "
        "Carnet starts and keeps in the workspace.",
    )
    chain_id: int = Field(
        default=31337,
        ge=1,
        le=2**53 - 1,
        description="The chain that the node must be on; another one is refused.",
    )
    confirmations: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Blocks, the transaction's own included, after which it counts as confirmed. "
        "One is right for the development node alone.",
    )
    import_file_size_max: int = Field(
        default=64 * MEBIBYTE,
        ge=1,
        le=1024 * MEBIBYTE,
        description="The largest file that `carnet import` reads, in bytes.",
    )
    evidence_file_size_max: int = Field(
        default=64 * MEBIBYTE,
        ge=1,
        le=256 * MEBIBYTE,
        description="The largest file that `carnet certificates attach` stores, in bytes.",
    )
    bulk_memory_max: int = Field(
        default=1024 * MEBIBYTE,
        ge=64 * MEBIBYTE,
        le=1024 * 1024 * MEBIBYTE,
        description="The memory that the tables of `carnet eval --engine bulk` take, in bytes; "
        "what is more goes to disk, where TMPDIR points. The process needs about 300 MiB besides.",
    )
    bulk_threads: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="Threads of the bulk engine; each takes memory of its own. 0: one for each "
        "processor.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment come before carnet.toml, and nothing else take part."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    return ENVIRONMENT_PREFIX + name.upper()


def _refuse(path: Path, en: str, zh: str, hint: Text | None = None) -> InputError:
    return InputError(
        "CRN-C-050",
        Text(f"The settings in {path} cannot be used: {en}.", f"无法使用 {path} 中的设置：{zh}。"),
        hint or Text("See docs/settings.md.", "参见 docs/settings.md。"),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(SETTINGS_SIZE_MAX + 1)
    except OSError as error:
        reason = error.strerror
        raise _refuse(path, f"it cannot be read ({reason})", f"无法读取（{reason}）") from None
    if len(data) > SETTINGS_SIZE_MAX:
        raise _refuse(
            path, f"more than {SETTINGS_SIZE_MAX} bytes", f"超过 {SETTINGS_SIZE_MAX} 字节"
        )
    try:
        return tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        raise _refuse(path, f"it is not TOML ({error})", f"不是 TOML（{error}）") from None


def _check_known(path: Path, values: dict[str, Any]) -> None:
    known = list(Settings.model_fields)
    for name in sorted(values.keys() - set(known)):
        near = difflib.get_close_matches(name, known, n=1)
        en = f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(known)}."
        zh = f"是否指 {near[0]!r}？" if near else f"可用设置：{'、'.join(known)}。"
        raise _refuse(path, f"{name!r} is not a setting", f"{name!r} 不是设置项", Text(en, zh))


def _check_without_password(path: Path, values: dict[str, Any]) -> None:
    for name in ("database_url", "rpc_url"):
        value = values.get(name, "")
        try:
            has_password = isinstance(value, str) and urlsplit(value).password is not None
        except ValueError:
            has_password = False
        if has_password:
            variable = variable_of(name)
            raise _refuse(
                path,
                f"{name!r} contains a password",
                f"{name!r} 中含有密码",
                Text(
                    f"Take it out, and set the whole address in {variable} instead.",
                    f"请将其删除，改用环境变量 {variable} 提供完整地址。",
                ),
            )


def _limits(field: FieldInfo) -> tuple[Any, Any]:
    low = next((m.ge for m in field.metadata if getattr(m, "ge", None) is not None), None)
    high = next((m.le for m in field.metadata if getattr(m, "le", None) is not None), None)
    return low, high


def expectation(name: str) -> Text:
    """Return what is expected of the value of a setting."""
    field = Settings.model_fields[name]
    if get_origin(field.annotation) is Literal:
        choices = ", ".join(repr(choice) for choice in get_args(field.annotation))
        return Text(f"one of {choices}", f"以下之一：{choices}")
    if field.annotation is int:
        low, high = _limits(field)
        return Text(f"an integer from {low} to {high}", f"{low} 至 {high} 的整数")
    form = next((m.pattern for m in field.metadata if getattr(m, "pattern", None)), None)
    if form:
        return Text(f"text of the form {form}", f"符合 {form} 的文本")
    return Text("text", "文本")


def _refuse_value(name: str, found: object, place: str) -> InputError:
    expected = expectation(name)
    shown = repr(found)[:80]
    return InputError(
        "CRN-C-051",
        Text(
            f"The setting {name} in {place} is {shown}, expected {expected.en}.",
            f"{place} 中的设置 {name} 为 {shown}，应为{expected.zh}。",
        ),
        Text("See docs/settings.md.", "参见 docs/settings.md。"),
    )


def _check_types(path: Path, values: dict[str, Any]) -> None:
    # pydantic would take true for 1 and "5" for 5; a settings file says what it means.
    for name, value in values.items():
        wanted = int if Settings.model_fields[name].annotation is int else str
        if type(value) is not wanted:
            raise _refuse_value(name, value, str(path))


def _explain(path: Path, error: ValidationError) -> InputError:
    """Return the first fault; one is enough, since a settings file is a dozen lines."""
    fault = error.errors()[0]
    # The environment source reports a field by the name of its variable.
    name = str(fault["loc"][0]).lower().removeprefix(ENVIRONMENT_PREFIX.lower())
    is_from_environment = bool(os.environ.get(variable_of(name)))
    return _refuse_value(
        name, fault["input"], variable_of(name) if is_from_environment else str(path)
    )


def make_settings(values: dict[str, Any], path: Path) -> Settings:
    """Return the settings of some values, overridden by the environment.

    Args:
        values: By name, as a carnet.toml holds them.
        path: The carnet.toml they are from, or are for; named in messages.

    Raises:
        InputError: A value or a variable is not a known setting; the message names it, its value
            and what is expected.
    """
    _check_known(path, values)
    _check_types(path, values)
    _check_without_password(path, values)
    try:
        return Settings(**values)
    except ValidationError as error:
        raise _explain(path, error) from None


def load_settings(path: Path) -> Settings:
    """Return the settings of a carnet.toml, overridden by the environment.

    Raises:
        InputError: The file cannot be read, or as for `make_settings`.
    """
    return make_settings(_read(path), path)
