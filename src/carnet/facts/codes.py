"""Code lists and self-checking codes of other standards: countries, currencies, LEI, FCC ID."""

import re

_COUNTRY_CODES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ "
    "BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM "
    "DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS "
    "GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN "
    "KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ "
    "MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM "
    "PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV "
    "SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI "
    "VN VU WF WS YE YT ZA ZM ZW"
)
COUNTRIES = frozenset(_COUNTRY_CODES.split())
"""The alpha-2 codes assigned by ISO 3166-1, without reserved and user-assigned ones."""

_CURRENCY_CODES = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN "
    "BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP "
    "GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS "
    "KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR "
    "MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD "
    "RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP "
    "TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW"
)
CURRENCIES = frozenset(_CURRENCY_CODES.split())
"""Currencies of ISO 4217 with a minor unit, without metals, funds and test codes."""

_NO_MINOR_UNIT = frozenset(
    (
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"),
        *("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
    )
)
_THREE_DIGITS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))


def minor_digits_of(currency: str) -> int:
    """Return how many digits an amount of a currency has after the point.

    >>> [minor_digits_of(code) for code in ("CNY", "JPY", "KWD")]
    [2, 0, 3]

    Source: ISO 4217, list one.
    """
    assert currency in CURRENCIES, "the caller checked the code"
    if currency in _NO_MINOR_UNIT:
        return 0
    return 3 if currency in _THREE_DIGITS else 2


_LEI = re.compile(r"[A-Z0-9]{18}[0-9]{2}", re.ASCII)
_FCC_ID = re.compile(r"(2[A-Z0-9]{4}|[A-Z013-9][A-Z0-9]{2})([A-Z0-9-]{1,14})", re.ASCII)


def is_lei(text: str) -> bool:
    """Return whether a text is a Legal Entity Identifier with right check digits.

    >>> is_lei("5493001KJTIIGC8Y1R12"), is_lei("5493001KJTIIGC8Y1R13")
    (True, False)

    Source: ISO 17442; the check digits are ISO 7064 MOD 97-10.
    """
    if _LEI.fullmatch(text) is None:
        return False
    return int("".join(str(int(character, 36)) for character in text)) % 97 == 1


def split_fcc_id(text: str) -> tuple[str, str] | None:
    """Return the grantee code and the product code of an FCC ID, or None where it is none.

    A grantee code has five characters when it begins with 2 and three otherwise; a hyphen always
    belongs to the product code.

    >>> split_fcc_id("2ANDR-ABC123")
    ('2ANDR', '-ABC123')

    Source: 47 CFR 2.926.
    """
    match = _FCC_ID.fullmatch(text)
    return (match[1], match[2]) if match else None
