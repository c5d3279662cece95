"""Decisions and findings as values, and the JSON they are published in.

Source: docs/spec/pack-format.md, PF-11.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from carnet.core.digests import PackDigest
from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import Severity

Conformity = Literal["conforming", "nonconforming", "undetermined"]
Engine = Literal["reference", "live", "bulk", "spark"]
FactKey = tuple[str, str]

EXIT_CONFORMING, EXIT_NONCONFORMING, EXIT_UNDETERMINED = 0, 1, 3
_DECISIVE: frozenset[Severity] = frozenset({"blocking", "major"})


def _fact(key: FactKey) -> dict[str, str]:
    return {"type": key[0], "id": key[1]}


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's finding on one case."""

    rule: str
    severity: Severity
    facts: tuple[FactKey, ...]
    message: Text
    remedy: Text
    citation: tuple[str, ...]
    values: dict[str, str | int | bool]

    def to_json(self) -> dict[str, Any]:
        """Return the finding as published."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "facts": [_fact(key) for key in self.facts],
            "message": self.message.to_json(),
            "remedy": self.remedy.to_json(),
            "citation": list(self.citation),
            "values": self.values,
        }


@dataclass(frozen=True, slots=True)
class Action:
    """What one rule asks automation to do about one case."""

    rule: str
    action: str
    facts: tuple[FactKey, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the action as published."""
        return {
            "rule": self.rule,
            "action": self.action,
            "facts": [_fact(key) for key in self.facts],
        }


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """A rule that does not apply to a case, and why."""

    rule: str
    reason: Text


@dataclass(frozen=True, slots=True)
class RuleError:
    """A rule that could not be evaluated for a case, and why. The rule `case` is all of them."""

    rule: str
    cause: Text


def exit_code_of(conformities: Iterable[Conformity]) -> int:
    """Return the exit code of some verdicts; none at all is not clean.

    Source: docs/spec/pack-format.md, PF-68.
    """
    found = set(conformities)
    if "nonconforming" in found:
        return EXIT_NONCONFORMING
    return EXIT_CONFORMING if found == {"conforming"} else EXIT_UNDETERMINED


def conformity_of(findings: Iterable[Finding], errors: Iterable[RuleError]) -> Conformity:
    """Return the verdict: what is proven wrong is nonconforming whatever else is unknown."""
    if any(finding.severity in _DECISIVE for finding in findings):
        return "nonconforming"
    return "undetermined" if any(True for _ in errors) else "conforming"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a pack decided about one case."""

    case: FactKey
    conformity: Conformity
    officer_confirmed: tuple[str, ...]
    measures: dict[str, int]
    outputs: dict[str, int]
    findings: tuple[Finding, ...]
    not_applicable: tuple[NotApplicable, ...]
    errors: tuple[RuleError, ...]
    actions: tuple[Action, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the decision as published; `actions` only where there are any."""
        actions = [one.to_json() for one in self.actions]
        return {
            "case": _fact(self.case),
            "conformity": self.conformity,
            "officer_confirmed": list(self.officer_confirmed),
            "measures": self.measures,
            "outputs": self.outputs,
            "findings": [finding.to_json() for finding in self.findings],
            "not_applicable": [
                {"rule": one.rule, "reason": one.reason.to_json()} for one in self.not_applicable
            ],
            "errors": [{"rule": one.rule, "cause": one.cause.to_json()} for one in self.errors],
            **({"actions": actions} if actions else {}),
        }


def _text_of(content: Mapping[str, str]) -> Text:
    return Text(content["en"], content["zh"])


def _keys_of(facts: Iterable[Mapping[str, str]]) -> tuple[FactKey, ...]:
    return tuple((fact["type"], fact["id"]) for fact in facts)


def decision_from_json(content: Mapping[str, Any]) -> Decision:
    """Return the decision that `Decision.to_json` published; other members are passed over."""
    return Decision(
        case=(content["case"]["type"], content["case"]["id"]),
        conformity=content["conformity"],
        officer_confirmed=tuple(content["officer_confirmed"]),
        measures=content["measures"],
        outputs=content["outputs"],
        findings=tuple(
            Finding(
                one["rule"],
                one["severity"],
                _keys_of(one["facts"]),
                _text_of(one["message"]),
                _text_of(one["remedy"]),
                tuple(one["citation"]),
                one["values"],
            )
            for one in content["findings"]
        ),
        not_applicable=tuple(
            NotApplicable(one["rule"], _text_of(one["reason"])) for one in content["not_applicable"]
        ),
        errors=tuple(RuleError(one["rule"], _text_of(one["cause"])) for one in content["errors"]),
        actions=tuple(
            Action(one["rule"], one["action"], _keys_of(one["facts"]))
            for one in content.get("actions", ())
        ),
    )


@dataclass(frozen=True, slots=True)
class PackVersion:
    """A pack whose decisions another one rests on."""

    id: str
    version: str
    digest: PackDigest

    def to_json(self) -> dict[str, str]:
        """Return the version as published."""
        return {"pack": self.id, "version": self.version, "digest": self.digest.hex()}


@dataclass(frozen=True, slots=True)
class Earlier:
    """What packs of earlier stages decided on the same facts for the same date.

    Args:
        packs: Every pack that took part, those that earlier ones come after among them; by id.
        facts: What the decisions of those that the pack names are as facts.
    """

    packs: tuple[PackVersion, ...] = ()
    facts: tuple[Fact, ...] = ()


NOTHING_EARLIER = Earlier()


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """What a pack decided about some facts on a date."""

    pack: str
    version: str
    digest: PackDigest
    as_of: date
    engine: Engine
    decisions: tuple[Decision, ...]
    unreached: tuple[FactKey, ...] = field(default=())
    after: tuple[PackVersion, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 all conforming, 1 any nonconforming, 3 some undetermined or nothing decided."""
        return exit_code_of(decision.conformity for decision in self.decisions)

    def to_json(self) -> dict[str, Any]:
        """Return the result as published; engines differ in nothing but `engine`.

        The key `after` stands only where the pack has earlier stages.
        """
        after = [one.to_json() for one in self.after]
        return {
            "pack": self.pack,
            "version": self.version,
            "digest": self.digest.hex(),
            "as_of": self.as_of.isoformat(),
            "engine": self.engine,
            "decisions": [decision.to_json() for decision in self.decisions],
            "unreached": [_fact(key) for key in self.unreached],
            **({"after": after} if after else {}),
        }
