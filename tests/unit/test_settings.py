"""Settings: closed, typed, without secrets, overridden by the environment, and documented."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from carnet.core.errors import InputError
from carnet.core.settings import Settings, expectation, load_settings, variable_of

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable_of(name), raising=False)


Load = Callable[[str], Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    path = tmp_path / "carnet.toml"

    def loaded(text: str) -> Settings:
        path.write_text(text, "utf-8")
        return load_settings(path)

    return loaded


def test_settings__defaults_need_no_server(load: Load) -> None:
    settings = load("")
    assert settings == Settings()
    assert (settings.database_url, settings.rpc_url, settings.chain_id) == ("", "", 31337)
    assert settings.import_file_size_max == 64 * 1024 * 1024


def test_settings__from_the_file(load: Load) -> None:
    settings = load('chain_id = 1\nlang = "zh"\nlog_origin = "log.example/seller"\n')
    assert (settings.chain_id, settings.lang) == (1, "zh")
    assert settings.log_origin == "log.example/seller"


def test_settings__environment_comes_first(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARNET_CHAIN_ID", "5")
    assert load("chain_id = 7").chain_id == 5


def test_settings__language_as_a_locale(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARNET_LANG", "zh_CN.UTF-8")
    assert load("").lang == "zh"


def test_settings__an_empty_variable_sets_nothing(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARNET_CHAIN_ID", "")
    assert load("chain_id = 7").chain_id == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rpc_ur = ''", r"'rpc_ur' is not a setting.*Did you mean 'rpc_url'\?"),
        ("passphrase = 'x'", "'passphrase' is not a setting"),
        ("[chain]\nid = 1", "'chain' is not a setting"),
        ("chain_id = '1'", "chain_id in .* is '1', expected an integer from 1"),
        ("chain_id = true", "chain_id in .* is True, expected an integer"),
        ("chain_id = 1.0", "chain_id in .* is 1.0, expected an integer"),
        ("chain_id = 0", "chain_id in .* is 0, expected an integer from 1"),
        ("lang = 'fr'", "lang in .* is 'fr', expected one of '', 'en', 'zh'"),
        ("log_origin = 'a b'", "log_origin in .* is 'a b', expected text of the form"),
        ("log_origin = 'a+b'", "log_origin in .* is 'a\\+b', expected text of the form"),
        ("log_origin = ''", "log_origin in .* is '', expected text of the form"),
        ("rpc_url = 5", "rpc_url in .* is 5, expected text"),
        ("chain_id = ", "it is not TOML"),
        ("a = 1\na = 2", "it is not TOML"),
        ("#" * 70_000, "more than 65536 bytes"),
    ],
)
def test_settings__refused(load: Load, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(text)


def test_settings__not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "carnet.toml"
    path.write_bytes(b"lang = '\xff'")
    with pytest.raises(InputError, match="it is not TOML"):
        load_settings(path)


def test_settings__a_bad_variable_is_named(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARNET_CONFIRMATIONS", "many")
    with pytest.raises(InputError, match="confirmations in CARNET_CONFIRMATIONS is 'many'"):
        load("")


@pytest.mark.parametrize("name", ["database_url", "rpc_url"])
def test_settings__a_password_in_the_file_is_refused_and_not_repeated(
    load: Load, name: str
) -> None:
    with pytest.raises(InputError, match=f"'{name}' contains a password") as caught:
        load(f"{name} = 'scheme://user:hunter2@host/x'")
    assert "hunter2" not in str(caught.value)


def test_settings__a_password_from_the_environment_never_shows(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARNET_DATABASE_URL", "postgresql://u:hunter2@h/d")
    settings = load("")
    assert "hunter2" in settings.database_url
    assert "hunter2" not in repr(settings) + str(settings)


def test_settings__have_no_default_that_is_refused() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description
        assert expectation(name).en
        assert expectation(name).zh


def test_settings_page__names_every_setting_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert rows == [(name, variable_of(name)) for name in Settings.model_fields]


def test_settings__unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it cannot be read"):
        load_settings(tmp_path)


def test_settings__address_that_is_none(load: Load) -> None:
    assert load("rpc_url = 'http://[broken'").rpc_url == "http://[broken"
