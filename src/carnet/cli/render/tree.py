"""The explanation of one rule in one case as a decision tree: an SVG that stands alone.

Every node is a box of its own in one column, so that no text lies over another; what belongs to a
node stands below it, further in, joined by a line. A fixed-width face is asked for and its widths
are counted on, a Chinese character as two letters. Verdicts are words, not colours alone. The same
explanation gives the same bytes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final
from unicodedata import east_asian_width

from carnet.cli.decisions import OUTCOMES, VERDICTS, spell_key, spell_law, spell_row, spell_values
from carnet.core.text import Language, Text

CHOICES_MAX: Final = 20
FACTS_MAX: Final = 20
"""Choices and facts that are drawn; what is beyond is counted."""
CELLS: Final = 84
"""Letters that fit into a line of the widest box; each step inwards takes some away."""
LETTER, LINE_HEIGHT, STEP, PAD, GAP, MARGIN = 8, 18, 28, 8, 10, 16
FONT_SIZE = 13
COLOURS: Final = {
    "true": ("#e8f3ea", "#1e6b32"),
    "false": ("#fbe9e7", "#a32a1a"),
    "unknown": ("#fdf3d8", "#7a5a00"),
    "finding": ("#fbe9e7", "#a32a1a"),
    "clear": ("#e8f3ea", "#1e6b32"),
    "undetermined": ("#fdf3d8", "#7a5a00"),
    "not_applicable": ("#eef0f3", "#4a5563"),
    "none": ("#f6f7f9", "#4a5563"),
}
_ILLEGAL: Final = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF])


@dataclass(slots=True)
class Node:
    """A box: a headline, what it rests on, and what stands below it."""

    headline: str
    colour: str
    details: list[str] = field(default_factory=list)
    children: list["Node"] = field(default_factory=list)
    mark: str = ""
    """What is said behind the headline of a box that stands out."""


# --- from an explanation to nodes ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Drawing:
    """Draws the nodes of one rule in one language."""

    language: Language

    def t(self, en: str, zh: str) -> str:
        return zh if self.language == "zh" else en

    def say(self, text: Text) -> str:
        return text.in_language(self.language)

    @property
    def decides(self) -> str:
        """What marks that something decided."""
        return self.t("<- decides", "<- 决定项")

    def mark(self, one: dict[str, Any]) -> str:
        return self.decides if one["decides"] else ""

    def told(self, one: dict[str, Any]) -> Node:
        """Return the node of a line or of one of its alternatives."""
        verdict = one["verdict"]
        details = []
        values = spell_values(one, self.language)
        if values:
            details.append(values)
        details += [spell_row(row, self.language) for row in one["rows"]]
        if one["cause"]:
            details.append(one["cause"][self.language])
        if verdict == "false" and "reason" in one:
            details.append(one["reason"][self.language])
        conditions = one.get("conditions", ())
        children = [self.told(each) for each in conditions] if len(conditions) > 1 else []
        said = self.say(VERDICTS[verdict])
        return Node(f"{one['text']}: {said}", verdict, details, children, self.mark(one))

    def block(self, block: dict[str, Any]) -> Node:
        said = {
            "true": self.t("finds no fact", "未找到事实"),
            "false": self.t("finds a fact", "找到事实"),
            "unknown": self.say(VERDICTS["unknown"]),
        }[block["verdict"]]
        facts = block["facts"]
        # What satisfies the block stands last: it is always drawn.
        drawn = facts if len(facts) <= FACTS_MAX else [*facts[: FACTS_MAX - 1], facts[-1]]
        children = [self._fact(one) for one in drawn]
        if len(drawn) < len(facts):
            children.append(self.more(len(facts) - len(drawn)))
        head = f"without {block['alias']}: {block['type']}: {said}"
        return Node(head, block["verdict"], [], children, self.mark(block))

    def _fact(self, one: dict[str, Any]) -> Node:
        said = self.say(VERDICTS[one["verdict"]])
        lines = [self.told(line) for line in one["lines"]]
        return Node(f"{spell_key(one['fact'])}: {said}", "none", [], lines)

    def more(self, count: int) -> Node:
        """Return the node that counts what is not drawn."""
        return Node(self.t(f"{count} more are not drawn", f"另有 {count} 项未绘出"), "none")

    def choice(self, choice: dict[str, Any]) -> Node:
        named = [
            f"{alias} = {spell_key(fact)}"
            for alias, fact in zip(choice["aliases"], choice["facts"], strict=True)
        ]
        facts = ", ".join(named) or self.t("the case", "案件")
        details = [choice["message"][self.language]] if "message" in choice else []
        children = [self.told(line) for line in choice["lines"]]
        children += [self.block(block) for block in choice["without"]]
        head = f"{facts}: {self.say(OUTCOMES[choice['outcome']])}"
        return Node(head, choice["outcome"], details, children)

    def parameter(self, one: dict[str, Any]) -> Node:
        value = self.t("none", "无") if one["value"] is None else one["value"]
        standing = {
            ("U", False): self.t("unverified, not confirmed", "未经核实，未经确认"),
            ("U", True): self.t("confirmed by officers", "经合规专员确认"),
        }.get((one["status"], one["is_confirmed"]), one["status"])
        details = [f"{one['title'][self.language]} ({standing})", spell_law(one)]
        in_force = self.t("<- in force", "<- 有效")
        children = [
            Node(
                f"{each['value']}: {each['reason'][self.language]}",
                "true" if each["is_in_force"] else "none",
                mark=in_force if each["is_in_force"] else "",
            )
            for each in one["values"]
        ]
        return Node(f"param.{one['id']} = {value}", "none", details, children)

    def rule(self, rule: dict[str, Any], case: dict[str, str], known: dict[str, Any]) -> Node:
        """Return the whole tree of a rule."""
        root = Node(
            f"{rule['rule']}: {self.say(OUTCOMES[rule['outcome']])}",
            rule["outcome"],
            [rule["title"][self.language], spell_key(case)],
        )
        root.details += [cause[self.language] for cause in rule["causes"]]
        if rule["scope"]:
            scope = [self.told(line) for line in rule["scope"]]
            root.children.append(Node(self.t("Does it apply?", "是否适用？"), "none", [], scope))
        drawn = rule["choices"][:CHOICES_MAX]
        root.children += [self.choice(choice) for choice in drawn]
        left = len(rule["choices"]) - len(drawn)
        if left:
            root.children.append(self.more(left))
        if rule["has_more_choices"]:
            root.children.append(Node(self.t("and further facts", "及其他事实"), "none"))
        listed = [self.parameter(known[name]) for name in rule["parameters"] if name in known]
        if listed:
            head = self.t("Parameters in force", "有效参数")
            root.children.append(Node(head, "none", [], listed))
        return root


# --- from nodes to boxes ------------------------------------------------------------------------


def cells_of(text: str) -> int:
    """Return how many letters wide a text is; a Chinese character is two.

    >>> cells_of("ab"), cells_of("证书a")
    (2, 5)
    """
    return sum(2 if east_asian_width(one) in "WFA" else 1 for one in text)


def wrap(text: str, width: int) -> list[str]:
    """Return a text in lines of at most so many letters, broken at spaces where there are any.

    >>> wrap("one two three", 8), wrap("abcdefghij", 4), wrap("", 4)
    (['one two', 'three'], ['abcd', 'efgh', 'ij'], [''])
    """
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cells_of(joined) <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        for one in word:
            if cells_of(lines[-1] + one) > width:
                lines.append("")
            lines[-1] += one
    return lines


@dataclass(frozen=True, slots=True)
class Box:
    """A node with its place."""

    node: Node
    depth: int
    top: int
    parent: int | None
    lines: tuple[str, ...]
    heads: int
    """How many of the lines are its headline."""

    @property
    def left(self) -> int:
        """Its left edge."""
        return MARGIN + self.depth * STEP

    @property
    def width(self) -> int:
        """Its width, by its longest line."""
        return max(map(cells_of, self.lines)) * LETTER + 2 * PAD + 6

    @property
    def height(self) -> int:
        """Its height, by the number of its lines."""
        return len(self.lines) * LINE_HEIGHT + 2 * PAD


def place(root: Node) -> list[Box]:
    """Return every node with its place: one below the other, what belongs to one further in."""
    boxes: list[Box] = []
    waiting: list[tuple[Node, int, int | None]] = [(root, 0, None)]
    top = MARGIN
    while waiting:
        node, depth, parent = waiting.pop()
        width = max(CELLS - depth * STEP // LETTER, CELLS // 3)
        shown = f"{node.headline} {node.mark}" if node.mark else node.headline
        heads = wrap(_legal(shown), width)
        lines = [*heads, *(line for text in node.details for line in wrap(_legal(text), width))]
        box = Box(node, depth, top, parent, tuple(lines), len(heads))
        boxes.append(box)
        top += box.height + GAP
        number = len(boxes) - 1
        waiting += [(child, depth + 1, number) for child in reversed(node.children)]
    return boxes


def _legal(text: str) -> str:
    return text.translate(_ILLEGAL).replace("\n", " ").replace("\r", " ").replace("\t", " ")


# --- from boxes to SVG --------------------------------------------------------------------------


def _box(box: Box) -> Iterator[str]:
    fill, stroke = COLOURS[box.node.colour]
    weight = 3 if box.node.mark else 1
    yield (
        f'<rect x="{box.left}" y="{box.top}" width="{box.width}" height="{box.height}" rx="4"'
        f' fill="{fill}" stroke="{stroke}" stroke-width="{weight}"/>'
    )
    spans = []
    for number, line in enumerate(box.lines):
        x, y = box.left + PAD + 3, box.top + PAD + number * LINE_HEIGHT + 13
        bold = ' font-weight="bold"' if number < box.heads else ""
        spans.append(f'<tspan x="{x}" y="{y}"{bold}>{escape(line, quote=False)}</tspan>')
    # In one piece: between them white space would be drawn.
    yield f'<text fill="#1b2430" xml:space="preserve">{"".join(spans)}</text>'


def _joint(box: Box, parent: Box) -> str:
    x, y = parent.left + STEP // 2, box.top + LINE_HEIGHT // 2 + PAD
    start = parent.top + parent.height
    return f'<path d="M{x} {start}V{y}H{box.left}" fill="none" stroke="#8a94a3"/>'


def _drawn(boxes: Sequence[Box], title: str, described: str, language: str) -> Iterator[str]:
    width = max(box.left + box.width for box in boxes) + MARGIN
    height = boxes[-1].top + boxes[-1].height + MARGIN
    tag = "zh-Hans" if language == "zh" else "en"
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img" aria-labelledby="title desc"'
        f' xml:lang="{tag}" lang="{tag}" font-family="ui-monospace, \'DejaVu Sans Mono\','
        f" 'Noto Sans Mono CJK SC', 'Noto Sans CJK SC', monospace\" font-size=\"{FONT_SIZE}\">"
    )
    yield f'<title id="title">{escape(_legal(title), quote=False)}</title>'
    yield f'<desc id="desc">{escape(_legal(described), quote=False)}</desc>'
    yield f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
    for box in boxes:
        if box.parent is not None:
            yield _joint(box, boxes[box.parent])
    for box in boxes:
        yield from _box(box)
    yield "</svg>"


def _described(root: Node, draw: _Drawing) -> str:
    """Return what decided, in words: what a reader who does not see the tree must know."""
    found: list[str] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.mark == draw.decides and not node.children:
            found.append(node.headline)
        waiting += reversed(node.children)
    head = draw.t("Decided by: ", "决定项：")
    return head + "; ".join(found) if found else root.headline


def to_svg(explanation: dict[str, Any], rule: str, language: Language, subject: str) -> str:
    """Return the decision tree of one rule in one case.

    Args:
        explanation: The explanation of the case.
        rule: The rule.
        language: `en` or `zh`.
        subject: The pack, its version and the date, for the title.
    """
    draw = _Drawing(language)
    (told,) = (one for one in explanation["rules"] if one["rule"] == rule)
    known = {one["id"]: one for one in explanation["parameters"]}
    root = draw.rule(told, explanation["case"], known)
    boxes = place(root)
    title = f"{subject}: {root.headline} ({spell_key(explanation['case'])})"
    return "\n".join(_drawn(boxes, title, _described(root, draw), language)) + "\n"
