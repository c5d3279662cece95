"""Stages: what packs of earlier stages decided, as facts of later packs.

A decision, its findings, the facts these name, and its measures and outputs are facts of the types
`decision`, `finding`, `finding_fact` and `decision_value`. Their ids follow from what they are, so
that two engines give the same ones.

Source: docs/spec/pack-format.md, PF-33 to PF-36.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from types import MappingProxyType

from carnet.core.digests import sha256
from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.facts.fact import Fact, Scalar
from carnet.rules.ast import Pack
from carnet.rules.decision import Decision, Earlier, EvaluationResult, PackVersion
from carnet.rules.engine import evaluate
from carnet.rules.pack import Resolve

ID_SIZE_MAX = 64


def computed_id(*parts: str) -> str:
    """Return the id of a computed fact; one that were too long is replaced by its digest.

    >>> computed_id("eu-ce", "listing", "L1")
    'eu-ce/listing/L1'
    >>> len(computed_id("eu-ce", "listing", "L" * 64))
    64
    """
    text = "/".join(parts)
    return text if len(text) <= ID_SIZE_MAX else sha256(text.encode()).hex()


def _fact(fact_type: str, identifier: str, fields: Mapping[str, Scalar]) -> Fact:
    return Fact(fact_type, identifier, MappingProxyType({**fields}))


def _findings(
    key: tuple[str, str, str], common: Mapping[str, str], decision: Decision
) -> Iterator[Fact]:
    counts: Counter[str] = Counter()
    for finding in decision.findings:
        counts[finding.rule] += 1
        parts = (*key, finding.rule, str(counts[finding.rule]))
        own = {"rule": finding.rule, "severity": finding.severity}
        identifier = computed_id(*parts)
        yield _fact("finding", identifier, {**common, **own})
        for position, (fact_type, fact_id) in enumerate(finding.facts, start=1):
            named = {"finding_id": identifier, "fact_type": fact_type, "fact_id": fact_id}
            yield _fact("finding_fact", computed_id(*parts, str(position)), named)


def _values(key: tuple[str, str, str], identifier: str, decision: Decision) -> Iterator[Fact]:
    for kind, values in (("measure", decision.measures), ("output", decision.outputs)):
        for name, value in values.items():
            yield _fact(
                "decision_value",
                computed_id(*key, kind, name),
                {"decision_id": identifier, "kind": kind, "name": name, "value": value},
            )


def facts_of_result(result: EvaluationResult) -> Iterator[Fact]:
    """Yield the facts that the decisions of a pack are for later stages."""
    for decision in result.decisions:
        case_type, case_id = decision.case
        key = (result.pack, case_type, case_id)
        identifier = computed_id(*key)
        common = {"pack": result.pack, "case_type": case_type, "case_id": case_id}
        yield _fact(
            "decision",
            identifier,
            {
                **common,
                "version": result.version,
                "digest": result.digest.hex(),
                "conformity": decision.conformity,
                "is_complete": not decision.errors,
            },
        )
        yield from _findings(key, {**common, "decision_id": identifier}, decision)
        yield from _values(key, identifier, decision)


# --- evaluating -------------------------------------------------------------------------------


def packs_before(pack: Pack, resolve: Resolve) -> dict[str, Pack]:
    """Return every pack that a pack comes after, directly or through others, by id."""
    found: dict[str, Pack] = {}
    waiting = [*pack.after]
    for name in waiting:
        if name not in found:
            found[name] = resolve(name)
            waiting += found[name].after
    return found


class Stages:
    """Packs decided on the same facts for the same date by the same engine, each at most once.

    Args:
        facts: The facts, in any order.
        as_of: The date that decides.
        engine: The engine, as for `evaluate`.
        confirmed: Returns the U parameters of a pack that officers have confirmed.
        resolve: Returns a pack of an earlier stage by its id.
    """

    def __init__(
        self,
        facts: Iterable[Fact],
        as_of: date,
        engine: str,
        confirmed: Callable[[Pack], frozenset[str]],
        resolve: Resolve,
    ) -> None:
        self._facts = tuple(facts)
        self._as_of = as_of
        self._engine = engine
        self._confirmed = confirmed
        self._resolve = resolve
        self._results: dict[str, EvaluationResult] = {}
        self._earlier: dict[str, Earlier] = {}

    def result(self, pack: Pack) -> EvaluationResult:
        """Return what a pack decides, after those that it comes after.

        Raises:
            InputError: A pack cannot be evaluated for the date, a fact cannot be used, or the
                stages of the packs contradict their order.
        """
        if pack.id not in self._results:
            earlier = self.earlier(pack)
            confirmed = self._confirmed(pack)
            self._results[pack.id] = evaluate(
                pack, self._facts, self._as_of, self._engine, confirmed, earlier
            )
        return self._results[pack.id]

    def earlier(self, pack: Pack) -> Earlier:
        """Return what the packs decided that a pack comes after.

        Raises:
            InputError: As for `result`.
        """
        if pack.id not in self._earlier:
            results = [self._before(pack, name) for name in pack.after]
            packs = {
                one
                for result in results
                for one in (
                    *result.after,
                    PackVersion(result.pack, result.version, result.digest),
                )
            }
            self._earlier[pack.id] = Earlier(
                tuple(sorted(packs, key=lambda one: one.id)),
                tuple(fact for result in results for fact in facts_of_result(result)),
            )
        return self._earlier[pack.id]

    def _before(self, pack: Pack, name: str) -> EvaluationResult:
        """Return what one pack decides that another comes after; its stage must be lower.

        Stages fall on every way, so no circle of packs is followed for ever.
        """
        found = self._resolve(name)
        if found.id != name or found.stage >= pack.stage:
            raise InputError(
                "CRN-R-062",
                Text(
                    f"{pack.id} {pack.version} (stage {pack.stage}) comes after {name}, but"
                    f" {found.id} {found.version} has the stage {found.stage}.",
                    f"{pack.id} {pack.version}（阶段 {pack.stage}）须在 {name} 之后，但"
                    f" {found.id} {found.version} 的阶段为 {found.stage}。",
                ),
                Text("See: carnet pack check.", "请运行：carnet pack check。"),
            )
        try:
            return self.result(found)
        except InputError as error:
            if error.code != "CRN-R-022":
                raise
            raise InputError(
                "CRN-R-063",
                Text(
                    f"{pack.id} {pack.version} comes after {name}, which cannot decide:"
                    f" {error.message.en}",
                    f"{pack.id} {pack.version} 须在 {name} 之后，而后者无法判定："
                    f"{error.message.zh}",
                ),
                error.hint,
            ) from error
