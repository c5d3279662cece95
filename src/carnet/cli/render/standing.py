"""Where a finding stands, in one phrase."""

from carnet.core.text import Text
from carnet.rules.lifecycle import Life
from carnet.services.words import FINDING_STATES


def standing_of(life: Life) -> Text:
    """Return where a finding stands, with its days: waived until when, to be put right by when."""
    words = FINDING_STATES[life.state]
    parts = [words]
    if life.waiver is not None:
        day = life.waiver.until
        parts = [Text(f"waived until {day}", f"豁免至 {day}")]
    elif life.resolved_on is not None:
        parts = [Text(f"{words.en} since {life.resolved_on}", f"{life.resolved_on} {words.zh}")]
    elif life.acknowledgement is not None and life.acknowledgement.due is not None:
        day = life.acknowledgement.due
        parts.append(Text(f"due {day}", f"整改期限 {day}"))
    if life.is_overdue:
        parts.append(Text("OVERDUE", "已逾期"))
    if life.proposal is not None:
        officer = life.proposal.proposed_by
        parts.append(
            Text(
                f"waiver proposed by {officer}, a second officer must approve",
                f"{officer} 已申请豁免，待另一名专员批准",
            )
        )
    if not life.is_told:
        parts.append(Text("its rule could not be evaluated since", "此后该规则无法判定"))
    return Text(", ".join(part.en for part in parts), "，".join(part.zh for part in parts))
