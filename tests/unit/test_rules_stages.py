"""Packs that come after others: their decisions as facts, in both engines."""

import dataclasses
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from carnet.cli.main import app
from carnet.core.errors import InputError, NotFoundError
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.decision import Decision, EvaluationResult
from carnet.rules.engine import evaluate
from carnet.rules.explain import explain_cases
from carnet.rules.pack import check_pack, load_earlier, load_pack
from carnet.rules.stages import Stages, facts_of_result
from carnet.rules.testing import run_tests
from tests.fixtures_rules import (
    AS_OF,
    PATHS,
    TEXT,
    certificate,
    listing,
    outcome_rule,
    output,
    parameter,
    product,
    rule,
    spell,
    write_pack,
)

STAGE_PATHS = {
    "product": "product <- listing.product_id",
    "decision": "decision.case_id == listing.id",
    "finding": "finding.decision_id -> decision",
    "finding_fact": "finding_fact.finding_id -> finding",
    "decision_value": "decision_value.decision_id -> decision",
}
WITHDRAWN = rule("withdrawn", match=[{"c": "certificate"}], when=['c.status == "withdrawn"'])
FEE = outcome_rule("fee", match=[{"c": "certificate"}], when=["c.is_verified"], set={"fee": 3})
COUNT = {"name": "certificates", "title": TEXT, "function": "count", "over": {"c": "certificate"}}


class Shelf:
    """Packs in folders, as they stand on a shelf."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, *rules: dict[str, Any], version: str = "1", **changes: Any) -> Path:
        place = self.folder / name / version
        return write_pack(place, *rules, id=name, version=version, **changes)

    def earlier(self, *rules: dict[str, Any], name: str = "first", **changes: Any) -> Path:
        given = rules or (WITHDRAWN, FEE)
        extra: dict[str, Any] = {"outputs": [output("fee", "sum")], "measures": [COUNT]}
        return self.write(name, *given, paths=PATHS, stage=10, **(extra | changes))

    def later(self, *rules: dict[str, Any], name: str = "second", **changes: Any) -> Path:
        base: dict[str, Any] = {"stage": 20, "after": ["first"], "paths": STAGE_PATHS}
        return self.write(name, *rules, **(base | changes))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def _run(
    folder: Path,
    facts: list[Fact],
    confirmed: dict[str, frozenset[str]] | None = None,
    as_of: date = AS_OF,
) -> EvaluationResult:
    pack = load_pack(folder)
    given = confirmed or {}

    def by(engine: str) -> EvaluationResult:
        return Stages(
            facts,
            as_of,
            engine,
            lambda one: given.get(one.id, frozenset()),
            load_earlier(folder),
        ).result(pack)

    reference, live = by("reference"), by("live")
    assert live.to_json() | {"engine": "reference"} == reference.to_json()
    return reference


def _one(
    folder: Path, facts: list[Fact], confirmed: dict[str, frozenset[str]] | None = None
) -> Decision:
    (decision,) = _run(folder, facts, confirmed).decisions
    return decision


FACTS = [listing(), product(), certificate("K1", status="withdrawn"), certificate("K2")]


# --- decisions as facts -----------------------------------------------------------------------


def test_stage__reads_the_verdict_of_an_earlier_one(shelf: Shelf) -> None:
    shelf.earlier()
    folder = shelf.later(
        rule("blocked", match=[{"d": "decision"}], when=['d.conformity == "nonconforming"'])
    )
    decision = _one(folder, FACTS)
    (finding,) = decision.findings
    assert finding.facts == (("decision", "first/listing/L1"), ("listing", "L1"))
    assert finding.values == {"d.conformity": "nonconforming"}


def test_stage__reads_findings_and_the_facts_they_name(shelf: Shelf) -> None:
    shelf.earlier()
    message = {"en": "{n.fact_id} by {f.rule}", "zh": "{n.fact_id}"}
    folder = shelf.later(
        rule(
            "same-certificate",
            match=[{"f": "finding"}, {"n": "finding_fact"}],
            when=[
                "n.finding_id == f.id",
                'n.fact_type == "certificate"',
                'f.severity == "blocking"',
                'f.decision.pack == "first"',
            ],
            finding={"message": message, "remedy": TEXT},
        )
    )
    (finding,) = _one(folder, FACTS).findings
    assert finding.message.en == "K1 by withdrawn"
    assert finding.facts == (
        ("finding", "first/listing/L1/withdrawn/1"),
        ("finding_fact", "first/listing/L1/withdrawn/1/1"),
        ("listing", "L1"),
    )


def test_stage__reads_measures_and_outputs(shelf: Shelf) -> None:
    shelf.earlier()
    folder = shelf.later(
        rule("rich", when=["measure.paid + measure.seen == 8"]),
        measures=[
            {
                "name": name, "title": TEXT, "function": "sum", "over": {"v": "decision_value"},
                "when": [f'v.kind == "{kind}"', f'v.name == "{value}"'], "of": "v.value",
            }
            for name, kind, value in (
                ("paid", "output", "fee"),
                ("seen", "measure", "certificates"),
            )
        ],
    )  # fmt: skip
    decision = _one(folder, FACTS)
    assert decision.measures == {"paid": 6, "seen": 2}
    assert [finding.rule for finding in decision.findings] == ["rich"]


def test_stage__without_a_finding_of_an_earlier_one(shelf: Shelf) -> None:
    shelf.earlier()
    clear = rule("clear", without=[{"f": "finding", "when": ['f.rule == "withdrawn"']}])
    folder = shelf.later(clear)
    assert _one(folder, FACTS).findings == ()
    assert len(_one(folder, [listing(), product(), certificate()]).findings) == 1


def test_stage__names_the_packs_it_rests_on(shelf: Shelf) -> None:
    earlier = load_pack(shelf.earlier())
    folder = shelf.later(rule(match=[{"d": "decision"}], when=["!d.is_complete"]))
    document = _run(folder, FACTS).to_json()
    assert document["after"] == [{"pack": "first", "version": "1", "digest": earlier.digest.hex()}]
    alone = evaluate(earlier, FACTS, AS_OF, "reference").to_json()
    assert "after" not in alone


def test_stage__takes_the_newest_version_beside_it(shelf: Shelf) -> None:
    shelf.earlier(version="1")
    shelf.earlier(version="1.2")
    folder = shelf.later(rule(match=[{"d": "decision"}], when=['d.version == "1.2"']))
    assert len(_one(folder, FACTS).findings) == 1


def test_stage__after_a_stage_after_a_stage(shelf: Shelf) -> None:
    shelf.earlier()
    shelf.later(
        rule("blocked", match=[{"d": "decision"}], when=['d.conformity == "nonconforming"'])
    )
    folder = shelf.later(
        rule("third", match=[{"f": "finding"}], when=['f.rule == "blocked"']),
        rule("first-unseen", match=[{"f": "finding"}], when=['f.rule == "withdrawn"']),
        name="last",
        stage=30,
        after=["second"],
    )
    result = _run(folder, FACTS)
    assert [one.rule for one in result.decisions[0].findings] == ["third"]
    assert [one.id for one in result.after] == ["first", "second"]


def test_stage__facts_of_decisions_are_never_unreached(shelf: Shelf) -> None:
    shelf.earlier()
    folder = shelf.later(rule(when=["product.is_radio"]), paths={"product": PATHS["product"]})
    result = _run(folder, FACTS)
    assert result.unreached == (("certificate", "K1"), ("certificate", "K2"))


def test_facts__of_long_ids_have_a_digest_for_an_id(shelf: Shelf) -> None:
    folder = shelf.earlier()
    name = "L" * 64
    facts = [listing(name), *FACTS[1:]]
    result = evaluate(load_pack(folder), facts, AS_OF, "reference")
    found = list(facts_of_result(result))
    assert all(len(fact.id) == 64 for fact in found)
    assert len({(fact.type, fact.id) for fact in found}) == len(found)
    (decision,) = (fact for fact in found if fact.type == "decision")
    assert decision.fields["case_id"] == name


# --- what is not known ------------------------------------------------------------------------


def test_incomplete__decision_leaves_its_findings_undetermined(shelf: Shelf) -> None:
    shelf.earlier(
        WITHDRAWN, rule("open", when=["product.min_age_months > 3"]), measures=[], outputs=[]
    )
    folder = shelf.later(
        rule("counted", without=[{"f": "finding", "when": ['f.severity == "major"']}]),
        rule("verdict", match=[{"d": "decision"}], when=['d.conformity == "nonconforming"']),
        rule("gap", match=[{"d": "decision"}], when=["!d.is_complete"], severity="minor"),
    )
    decision = _one(folder, FACTS)
    assert [finding.rule for finding in decision.findings] == ["gap", "verdict"]
    (error,) = decision.errors
    assert error.rule == "counted"
    assert "The decision of first on listing/L1 is not complete" in error.cause.en


def test_incomplete__decision_leaves_what_counts_its_values_undetermined(shelf: Shelf) -> None:
    shelf.earlier(
        FEE, rule("open", when=["product.min_age_months > 3"]), outputs=[output("fee", "sum")]
    )
    folder = shelf.later(
        rule("rich", when=["measure.paid > 0"]),
        measures=[
            {
                "name": "paid", "title": TEXT, "function": "sum", "over": {"v": "decision_value"},
                "when": ['v.name == "fee"'], "of": "v.value",
            }
        ],
    )  # fmt: skip
    decision = _one(folder, FACTS)
    assert (decision.findings, decision.measures) == ((), {})
    assert "is not complete" in decision.errors[0].cause.en


def test_incomplete__decision_of_another_case_does_not_matter(shelf: Shelf) -> None:
    shelf.earlier(rule("open", when=['listing.language == "de"']), measures=[], outputs=[])
    folder = shelf.later(
        rule("none", without=[{"f": "finding", "when": ['f.severity == "major"']}])
    )
    facts = [listing("L1"), listing("L2", language="zh"), product()]
    verdicts = {one.case[1]: one.conformity for one in _run(folder, facts).decisions}
    assert verdicts == {"L1": "undetermined", "L2": "nonconforming"}


def test_confirmation__belongs_to_the_pack_whose_parameter_it_is(shelf: Shelf) -> None:
    unverified = [parameter("limit", "integer", 3, "U")]
    open_rule = rule("open", when=["param.limit > 5"])
    shelf.earlier(open_rule, parameters=unverified, measures=[], outputs=[])
    folder = shelf.later(
        rule("verdict", match=[{"d": "decision"}], when=['d.conformity == "undetermined"'])
    )
    limit = frozenset({"limit"})
    assert len(_one(folder, FACTS).findings) == 1
    assert len(_one(folder, FACTS, {"second": limit}).findings) == 1
    assert _one(folder, FACTS, {"first": limit}).conformity == "conforming"


def test_stage__is_refused_where_an_earlier_pack_cannot_decide_for_the_date(shelf: Shelf) -> None:
    shelf.earlier(effective={"from": date(2026, 1, 1)})
    folder = shelf.later(rule(match=[{"d": "decision"}], when=["!d.is_complete"]))
    with pytest.raises(InputError, match="CRN-R-063") as refusal:
        _run(folder, FACTS, as_of=date(2025, 6, 1))
    assert "second 1 comes after first, which cannot decide: The pack first 1" in str(refusal.value)


def test_evaluate__refuses_a_pack_whose_earlier_stages_have_not_decided(shelf: Shelf) -> None:
    shelf.earlier()
    pack = load_pack(shelf.later(rule(match=[{"d": "decision"}], when=["!d.is_complete"])))
    with pytest.raises(InputError, match="CRN-R-064"):
        evaluate(pack, FACTS, AS_OF, "reference")


@pytest.mark.parametrize("changes", [{"stage": 20}, {"stage": 30}, {"id": "another"}])
def test_stages__that_do_not_fall_are_refused_at_the_latest_when_they_run(
    shelf: Shelf, changes: dict[str, Any]
) -> None:
    first = dataclasses.replace(load_pack(shelf.earlier()), **changes)
    pack = load_pack(shelf.later(rule(match=[{"d": "decision"}], when=["!d.is_complete"])))
    stages = Stages(FACTS, AS_OF, "reference", lambda _: frozenset(), lambda _: first)
    with pytest.raises(InputError, match="CRN-R-062"):
        stages.result(pack)


# --- checking ---------------------------------------------------------------------------------

READS_DECISION = rule(match=[{"d": "decision"}], when=["!d.is_complete"])


def _defects(folder: Path) -> str:
    _, found = check_pack(folder)
    return "\n".join(str(error) for error in found)


def test_check__refuses_a_stage_that_is_not_lower(shelf: Shelf) -> None:
    shelf.earlier()
    found = _defects(shelf.later(READS_DECISION, stage=10))
    assert "pack.yaml:1: first has the stage 10, which is not below 10." in found


def test_check__refuses_a_folder_that_holds_another_pack(shelf: Shelf) -> None:
    header = shelf.earlier() / "pack.yaml"
    header.write_text(header.read_text(encoding="utf-8").replace('"id": "first"', '"id": "other"'))
    found = _defects(shelf.later(READS_DECISION))
    assert "pack.yaml:1: The folder first holds the pack 'other', not 'first'." in found


def test_check__tells_the_line_of_the_pack_it_names(shelf: Shelf) -> None:
    shelf.earlier()
    folder = shelf.later(READS_DECISION)
    text = (folder / "pack.yaml").read_text(encoding="utf-8")
    text = text.replace('"after": ["first"]', '"after": [\n"first",\n"none"\n]')
    (folder / "pack.yaml").write_text(text, encoding="utf-8")
    _, (error,) = check_pack(folder)
    assert (error.code, error.path, error.line) == ("CRN-R-061", "pack.yaml", 3)
    assert "There is no rule pack 'none'." in str(error)
    assert "beside this pack" in error.hint.en


def test_check__refuses_packs_that_come_after_each_other(shelf: Shelf) -> None:
    shelf.earlier(after=["third"])
    shelf.later(READS_DECISION, name="third", stage=5, after=["second"])
    found = _defects(shelf.later(READS_DECISION))
    assert "The packs come after each other: second -> first -> third -> second." in found


def test_check__refuses_a_pack_after_itself(shelf: Shelf) -> None:
    _, (error,) = check_pack(shelf.later(READS_DECISION, after=["second"]))
    assert "second comes after itself" in str(error)


@pytest.mark.parametrize("name", ["../first", "first/1", "FIRST", ""])
def test_check__never_looks_for_what_is_no_id(shelf: Shelf, name: str) -> None:
    shelf.earlier()
    _, (error,) = check_pack(shelf.later(READS_DECISION, after=[name]))
    assert "'after' lists the ids of other packs" in str(error)


def test_check__refuses_paths_of_decisions_that_nobody_makes(shelf: Shelf) -> None:
    found = _defects(shelf.later(READS_DECISION, after=[]))
    assert "No pack comes before this one, so there are no facts of the type decision." in found


def test_check__refuses_findings_without_their_decisions(shelf: Shelf) -> None:
    shelf.earlier()
    paths = {"product": PATHS["product"], "finding": "finding.case_id == listing.id"}
    found = _defects(
        shelf.later(rule(match=[{"f": "finding"}], when=['f.rule == "x"']), paths=paths)
    )
    assert "finding needs a path of decision as well" in found


def test_check__refuses_a_computed_case_type(shelf: Shelf) -> None:
    shelf.earlier()
    found = _defects(shelf.later(READS_DECISION, case={"type": "decision", "alias": "d"}))
    assert "decision is computed and cannot be the case type." in found


def test_check__finds_the_shipped_packs_as_well(shelf: Shelf) -> None:
    paths = {**STAGE_PATHS}
    pack, found = check_pack(shelf.later(READS_DECISION, after=["eu-ce"], stage=90, paths=paths))
    assert not found
    assert isinstance(pack, Pack)
    assert pack.after == ("eu-ce",)


def test_run__of_a_pack_after_a_missing_one_is_refused(shelf: Shelf) -> None:
    folder = shelf.later(READS_DECISION, after=["nowhere"])
    with pytest.raises(NotFoundError, match="There is no rule pack 'nowhere'"):
        _run(folder, FACTS)


# --- pack tests and explanations --------------------------------------------------------------


def test_pack_tests__decide_the_earlier_stages_with_their_own_confirmations(shelf: Shelf) -> None:
    unverified = [parameter("limit", "integer", 3, "U")]
    shelf.earlier(
        rule("open", when=["param.limit > 5"]), parameters=unverified, measures=[], outputs=[]
    )
    folder = shelf.later(
        rule("verdict", match=[{"d": "decision"}], when=['d.conformity == "undetermined"'])
    )
    (folder / "tests").mkdir()
    facts = [fact.to_json() for fact in FACTS]
    tests = [
        {
            "id": f"test-{conformity}", "as_of": AS_OF, "facts": facts, "confirmed": confirmed,
            "expect": [{"case": "L1", "conformity": conformity, "findings": findings}],
        }
        for conformity, confirmed, findings in (
            ("nonconforming", ["limit"], ["verdict"]),
            ("conforming", ["first/limit"], []),
        )
    ]  # fmt: skip
    (folder / "tests" / "all.yaml").write_text(spell({"tests": tests}), encoding="utf-8")
    results = run_tests(load_pack(folder), "reference", load_earlier(folder))
    assert [(one.id, one.differences, one.error) for one in results] == [
        ("test-nonconforming", (), None),
        ("test-conforming", (), None),
    ]


def test_explanation__tells_the_lines_about_earlier_decisions(shelf: Shelf) -> None:
    shelf.earlier()
    folder = shelf.later(
        rule("blocked", match=[{"d": "decision"}], when=['d.conformity == "nonconforming"'])
    )
    pack = load_pack(folder)
    stages = Stages(FACTS, AS_OF, "reference", lambda _: frozenset(), load_earlier(folder))
    (told,) = explain_cases(pack, FACTS, AS_OF, earlier=stages.earlier(pack))
    (one,) = told["rules"]
    assert one["outcome"] == "finding"
    assert one["choices"][0]["lines"][0]["values"] == {"d.conformity": "nonconforming"}


# --- command line -----------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["reference", "live"])
def test_eval__decides_the_earlier_stages_first(shelf: Shelf, engine: str) -> None:
    shelf.earlier()
    folder = shelf.later(
        rule("blocked", match=[{"d": "decision"}], when=['d.conformity == "nonconforming"'])
    )
    facts = shelf.folder / "facts.json"
    facts.write_text(json.dumps({"facts": [fact.to_json() for fact in FACTS]}), encoding="utf-8")
    given = ["eval", str(folder), "--facts", str(facts), "--as-of", "2026-11-23"]
    result = CliRunner().invoke(
        app, [*given, "--engine", engine, "--format", "json", "--explain", "fails"]
    )
    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [one["rule"] for one in document["decisions"][0]["findings"]] == ["blocked"]
    assert [one["pack"] for one in document["after"]] == ["first"]
    assert document["explanations"][0]["rules"][0]["rule"] == "blocked"
