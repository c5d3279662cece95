"""The page of a review: whole, alone, safe, in two languages, never by colour alone."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from carnet.cli.render.review_page import ReviewPage, review_page
from carnet.cli.render.review_style import SIGNS, STYLE
from carnet.core.text import Language, Text
from carnet.rules.decision import Decision, Finding, RuleError
from carnet.rules.derivation import Derived
from carnet.rules.lifecycle import Acknowledged, Evaluated, follow
from carnet.services.decisions import StoredDecision
from carnet.services.dossiers import Judged
from carnet.services.findings import FindingKey, TrackedFinding, key_of
from carnet.services.overviews import Overview, Reviewed, overview_among
from carnet.services.words import DOCUMENT_STATUSES
from tests.fixtures_review import AS_OF, confirm_none, sample, sample_overview

VOID = {"meta", "br"}
HOSTILE = '</td><script>alert("x")</script><img src=x onerror=alert(1)>'
CONTRAST_MIN = 4.5


class Tree(HTMLParser):
    """Reads a page strictly: every element is closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.append((self.open[-1], data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.seen if name == tag]

    def text_of(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]


def read(text: str) -> Tree:
    tree = Tree()
    tree.feed(text)
    tree.close()
    assert tree.open == []
    return tree


def page(
    overview: Overview | None = None,
    language: Language = "en",
    lives: Mapping[FindingKey, TrackedFinding] | None = None,
) -> str:
    return "".join(review_page(ReviewPage(language, overview or sample_overview(), lives or {})))


def one_listing(decision: Decision, pack_of: Judged) -> Overview:
    """Return an overview with one decision alone."""
    judged = (replace(pack_of, decision=decision),)
    shown = (Reviewed("L-1", decision.conformity, judged, None, "EU", "P-1", HOSTILE),)
    return replace(sample_overview(), shown=shown)


@pytest.fixture(scope="module")
def judged() -> Judged:
    (first, *_) = sample_overview().shown[0].judged
    return first


def finding(judged: Judged) -> Finding:
    return judged.decision.findings[0]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_page__is_well_formed_and_the_same_each_time(language: Language) -> None:
    text = page(language=language)
    tree = read(text)
    assert text == page(language=language)
    assert tree.all("html") == [{"lang": {"en": "en", "zh": "zh-Hans"}[language]}]
    assert len(tree.all("h1")) == 1
    levels = [int(tag[1]) for tag, _ in tree.seen if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    anchors = {found["href"] for found in tree.all("a") if (found["href"] or "").startswith("#")}
    ids = [f"#{found['id']}" for _, found in tree.seen if "id" in found]
    assert anchors <= set(ids)
    assert len(ids) == len(set(ids))
    assert all("scope" in found for found in tree.all("th"))
    assert bool(re.search(r"[\u4e00-\u9fff]", text)) == (language == "zh") or "CJK" in STYLE


def test_page__in_english_holds_no_chinese_text() -> None:
    body = page().split("<body>")[1]
    assert not re.search(r"[\u4e00-\u9fff]", body)
    chinese = page(language="zh").split("<body>")[1]
    for told in ("准入审核 2026-11-23", "拒绝", "暂缓", "准入", "缺失", "未来 12 个月的证书状态"):
        assert told in chinese


def test_page__fetches_nothing_and_allows_its_one_style() -> None:
    tree = read(page())
    (policy,) = [each["content"] for each in tree.all("meta") if "http-equiv" in each]
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert tree.text_of("style") == [STYLE]
    assert not {tag for tag, _ in tree.seen} & {"script", "img", "link", "iframe", "object"}
    assert not [found for _, found in tree.seen if "style" in found or "src" in found]


def test_page__lists_what_is_missing_with_law_remedy_and_day() -> None:
    text = page()
    assert "lists Directive 2014/30/EU (electromagnetic compatibility)" in text
    assert '<a href="https://eur-lex.europa.eu' in text
    assert "the compliance officer files it" in text
    assert "before any further unit is placed on the market" in text
    assert "No pack covers the market JP." in text
    assert '<li class="dim"><b>1</b> <span aria-hidden="true">–</span> not reviewed</li>' in text
    assert '<div class="bad"><span aria-hidden="true">✗</span> missing' in text
    assert "counts until 2026-12-11" in text
    assert "renewal window 2026-07-10 to 2027-01-10" in text


def test_page__never_tells_a_status_by_colour_alone() -> None:
    tones = {tone for _, tone in SIGNS.values()}
    text, toned = page(), f'class="(?:{"|".join(tones)})"'
    found = re.findall(rf"<(td|div|li)[^>]*{toned}>(.*?)</\1>", text)
    assert len(found) == len(re.findall(toned, text)) > 80
    assert all(re.search(r"[a-z]{4,}", re.sub(r"<[^>]+>", "", told)) for _, told in found)
    assert DOCUMENT_STATUSES.keys() <= SIGNS.keys()


def test_style__has_enough_contrast() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    pairs = re.findall(r"\.(\w+)\{color:(#\w{6});background:(#\w{6})\}", STYLE)
    assert {name for name, _, _ in pairs} == {tone for _, tone in SIGNS.values()}
    others = [("small", "#444444", "#eeeeee"), ("link", "#0b4a8f", "#ffffff")]
    # The names of documents stand in the grey of `small` on every background.
    others += [(name, "#444444", back) for name, _, back in pairs]
    for name, front, back in [*pairs, *others]:
        light, dark = sorted((luminance(front), luminance(back)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= CONTRAST_MIN, name


def test_page__says_how_many_listings_it_does_not_show() -> None:
    text = page(sample_overview(2))
    assert "2 of 9 listings shown, the worst first." in text
    assert "--format csv" in text
    assert "LST-EAR-01-EU" not in text
    assert "shown, the worst first" not in page()
    chinese = page(sample_overview(2), "zh")
    assert "共 9 项上架商品，此处显示最严重的 2 项" in chinese


def test_page__texts_are_never_markup(judged: Judged) -> None:
    bad = Text(HOSTILE, HOSTILE)
    found = replace(finding(judged), message=bad, remedy=bad, citation=(HOSTILE,))
    decision = replace(
        judged.decision,
        case=("listing", HOSTILE),
        findings=(found,),
        errors=(RuleError("no-such-rule", bad),),
    )
    text = page(one_listing(decision, judged))
    read(text)
    assert "<script" not in text
    assert "<img" not in text
    assert text.count("&lt;script&gt;") >= 4


def test_page__tells_why_a_rule_cannot_be_told(judged: Judged) -> None:
    cause = Text("product/P-1.is_toy is absent.", "product/P-1.is_toy 未填写。")
    rule = judged.pack.rules[0]
    decision = replace(
        judged.decision,
        conformity="undetermined",
        findings=(),
        errors=(RuleError(rule.id, cause),),
    )
    text = page(one_listing(decision, judged))
    assert "product/P-1.is_toy is absent." in text
    assert rule.title.en in text
    assert "cannot be told" in text
    assert "before the listing is admitted" in text


def test_page__holds_what_rests_on_law_that_officers_have_not_confirmed() -> None:
    found = sample(is_confirmed=False)
    overview = overview_among(found.facts, found.judged, [], AS_OF, confirm_none)
    assert overview.counts["undetermined"] > 0
    english, chinese = page(overview), page(overview, "zh")
    for text, words in (
        (english, ("hold", "undetermined", "cannot be told", "not confirmed by officers")),
        (chinese, ("暂缓", "无法判定", "未经合规专员确认")),
    ):
        read(text)
        assert all(word in text for word in words)
    assert "ppe_renewal_closes_months" in english
    strip = replace(overview.dossiers.strips[0], ends=Derived(None, cause=Text("Why.", "缘由。")))
    dossiers = replace(overview.dossiers, strips=(strip,), further=3)
    english = page(replace(overview, dossiers=dossiers))
    assert "end cannot be told: Why." in english
    assert "3 more certificates are not drawn" in english


def test_page__takes_the_day_that_an_officer_set(judged: Judged) -> None:
    found = finding(judged)
    content = {"type": judged.decision.case[0], "id": judged.decision.case[1]}
    key = key_of(judged.pack.id, content, found.to_json())
    due = Acknowledged(AS_OF, "a", "officer-1", "Ordered.", date(2026, 12, 15))
    life = follow([Evaluated(AS_OF, "d", "raised", found.severity), due], AS_OF)
    assert life is not None
    stored = StoredDecision(b"", {})
    tracked = TrackedFinding(key, found.to_json(), stored, stored, life, None, {})
    text = page(one_listing(judged.decision, judged), lives={key: tracked})
    assert "acknowledged, due 2026-12-15 (officer-1)" in text
    assert "before any further unit" not in text
