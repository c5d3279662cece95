"""Engines to compare with, each used as its documentation shows, on the same objects.

Usage: peers.py NAME
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from server import serve
from workload import (
    AS_OF,
    EXPIRED,
    EXPIRING,
    MISSING,
    NOTICE_END,
    TODAY,
    Match,
    Record,
    by_product,
)

BATCH = 1000


def _plain() -> None:
    def evaluate(facts: Sequence[Record]) -> Iterator[Match]:
        for product, certificates in by_product(facts).items():
            is_missing = True
            for name, kind, until in certificates:
                if until < TODAY:
                    yield product, EXPIRED, name
                    continue
                if until < NOTICE_END:
                    yield product, EXPIRING, name
                if kind == "eu_doc":
                    is_missing = False
            if is_missing:
                yield product, MISSING, ""

    serve(evaluate)


# --- rule engines -----------------------------------------------------------------------------


_NAMES: dict[str, Any] = {
    "EXPIRED": EXPIRED,
    "EXPIRING": EXPIRING,
    "MISSING": MISSING,
    "AS_OF": AS_OF,
    "TODAY": TODAY,
    "END": NOTICE_END,
    "END_DAY": date.fromordinal(NOTICE_END),
}

_CLIPS = """
(deftemplate product (slot id (type STRING)))
(deftemplate certificate (slot id (type STRING)) (slot product_id (type STRING)) \
(slot kind (type STRING)) (slot until (type INTEGER)))
(defrule expired (product (id ?p)) (certificate (id ?c) (product_id ?p) \
(until ?u&:(< ?u {TODAY}))) => (report "{EXPIRED}" ?p ?c))
(defrule expiring (product (id ?p)) (certificate (id ?c) (product_id ?p) \
(until ?u&:(>= ?u {TODAY})&:(< ?u {END}))) => (report "{EXPIRING}" ?p ?c))
(defrule missing (product (id ?p)) (not (certificate (product_id ?p) (kind "eu_doc") \
(until ?u&:(>= ?u {TODAY})))) => (report "{MISSING}" ?p ""))
"""


def _clips() -> None:
    import clips

    environment = clips.Environment()
    found: list[Match] = []

    def report(rule: str, product: str, certificate: str) -> None:
        found.append((product, rule, certificate))

    environment.define_function(report)
    for construct in _CLIPS.format(**_NAMES).strip().splitlines():
        environment.build(construct)
    product = environment.find_template("product")
    certificate = environment.find_template("certificate")

    def evaluate(facts: Sequence[Record]) -> list[Match]:
        found.clear()
        # Batches of whole products: larger ones slow CLIPS down, smaller ones too.
        step = BATCH * 4
        for start in range(0, len(facts), step):
            environment.reset()
            for kind, name, fields in facts[start : start + step]:
                if kind == "product":
                    product.assert_fact(id=name)
                else:
                    certificate.assert_fact(
                        id=name,
                        product_id=fields["product_id"],
                        kind=fields["kind"],
                        until=fields["printed_valid_until"].toordinal(),
                    )
            environment.run()
        return list(found)

    serve(evaluate)


def _drools_rules() -> str:
    def compared(operator: str, field: str, value: int) -> dict[str, Any]:
        return {operator: {"lhs": {"Event": field}, "rhs": {"Integer": value}}}

    def rule(name: str, condition: dict[str, Any]) -> dict[str, Any]:
        action = {"Action": {"action": "none", "action_args": {}}}
        return {
            "Rule": {
                "name": name,
                "condition": {"AllCondition": [condition]},
                "action": action,
                "enabled": True,
            }
        }

    rules = [
        rule(EXPIRED, compared("LessThanExpression", "until", TODAY)),
        rule(
            EXPIRING,
            {
                "AndExpression": {
                    "lhs": compared("GreaterThanOrEqualToExpression", "until", TODAY),
                    "rhs": compared("LessThanExpression", "until", NOTICE_END),
                }
            },
        ),
        rule(MISSING, compared("LessThanExpression", "declared_until", TODAY)),
    ]
    return json.dumps({"name": "certificates", "rules": rules})


def _drools() -> None:
    java = shutil.which("java")
    if java:
        # .../bin/java: what jpy needs is found from the folder above.
        os.environ.setdefault("JAVA_HOME", str(Path(java).resolve().parents[1]))
    import orjson
    from drools.ruleset import RulesetCollection

    engine = RulesetCollection.api()

    def matches(session: int, event: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for match in orjson.loads(engine.assertEvent(session, orjson.dumps(event).decode())):
            for name, bound in match.items():
                yield name, bound["m"]

    def evaluate(facts: Sequence[Record]) -> Iterator[Match]:
        session = engine.createRuleset(_drools_rules())
        # Its rules have no negation over joins: the last day declared travels with the product.
        for product, certificates in by_product(facts).items():
            for name, _, until in certificates:
                for rule, bound in matches(
                    session, {"id": name, "product": product, "until": until}
                ):
                    yield bound["product"], rule, bound["id"]
            days = (until for _, kind, until in certificates if kind == "eu_doc")
            closing = {"product": product, "declared_until": max(days, default=0)}
            for rule, bound in matches(session, closing):
                yield bound["product"], rule, ""
        # Events that matched nothing stay with the session.
        engine.dispose(session)

    serve(evaluate)


_LISTED = (EXPIRED, EXPIRING)


def _zen() -> None:
    import zen

    def node(name: str, kind: str, content: Any = None) -> dict[str, Any]:
        one = {"id": name, "name": name, "type": kind, "position": {"x": 0, "y": 0}}
        return one if content is None else one | {"content": content}

    expressions = {
        EXPIRED: f"map(filter(certificates, #.until < {TODAY}), #.id)",
        EXPIRING: f"map(filter(certificates, #.until >= {TODAY} and #.until < {NOTICE_END}), #.id)",
        MISSING: f'none(certificates, #.kind == "eu_doc" and #.until >= {TODAY})',
    }
    content = {
        "expressions": [
            {"id": str(place), "key": f"r{place}", "value": text}
            for place, text in enumerate(expressions.values())
        ]
    }
    graph = {
        "nodes": [
            node("in", "inputNode"),
            node("rules", "expressionNode", content),
            node("out", "outputNode"),
        ],
        "edges": [
            {"id": "e1", "sourceId": "in", "targetId": "rules", "type": "edge"},
            {"id": "e2", "sourceId": "rules", "targetId": "out", "type": "edge"},
        ],
    }
    decision = zen.ZenEngine().create_decision(json.dumps(graph))

    def ask(data: dict[str, Any]) -> tuple[Any, Any, Any]:
        result = decision.evaluate(data)["result"]
        return result["r0"], result["r1"], result["r2"]

    serve(_by_expression(ask))


# --- expression languages ---------------------------------------------------------------------


def _by_expression(
    ask: Callable[[dict[str, Any]], tuple[Any, Any, Any]],
) -> Callable[[Sequence[Record]], Iterator[Match]]:
    """Return an evaluation by three expressions over one product with its certificates."""

    def evaluate(facts: Sequence[Record]) -> Iterator[Match]:
        for product, certificates in by_product(facts).items():
            data = {
                "certificates": [
                    {"id": name, "kind": kind, "until": until} for name, kind, until in certificates
                ]
            }
            *lists, is_missing = ask(data)
            for rule, names in zip(_LISTED, lists, strict=True):
                for name in names:
                    yield product, rule, name
            if is_missing:
                yield product, MISSING, ""

    return evaluate


_CEL = (
    f"certificates.filter(c, c.until < {TODAY}).map(c, c.id)",
    f"certificates.filter(c, c.until >= {TODAY} && c.until < {NOTICE_END}).map(c, c.id)",
    f'!certificates.exists(c, c.kind == "eu_doc" && c.until >= {TODAY})',
)


def _cel_expr_python() -> None:
    from cel_expr_python import cel

    kind = cel.Type.List(cel.Type.Map(cel.Type.STRING, cel.Type.DYN))
    environment = cel.NewEnv(variables={"certificates": kind})
    compiled = [environment.compile(text) for text in _CEL]

    def ask(data: dict[str, Any]) -> tuple[Any, ...]:
        activation = environment.Activation(data)
        return tuple(one.eval(activation).plain_value() for one in compiled)

    serve(_by_expression(ask))  # type: ignore[arg-type]  # three expressions, three results


def _common_expression_language() -> None:
    import cel

    compiled = [cel.compile(text) for text in _CEL]

    def ask(data: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(one.execute(data) for one in compiled)

    serve(_by_expression(ask))  # type: ignore[arg-type]  # three expressions, three results


def _datalogic() -> None:
    from datalogic_py import Engine

    engine = Engine()
    every, until = {"var": "certificates"}, {"var": "until"}
    within = {"and": [{">=": [until, TODAY]}, {"<": [until, NOTICE_END]}]}
    valid = {"and": [{"==": [{"var": "kind"}, "eu_doc"]}, {">=": [until, TODAY]}]}
    compiled = [
        engine.compile({"map": [{"filter": [every, {"<": [until, TODAY]}]}, {"var": "id"}]}),
        engine.compile({"map": [{"filter": [every, within]}, {"var": "id"}]}),
        engine.compile({"none": [every, valid]}),
    ]

    def ask(data: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(one.evaluate(data) for one in compiled)

    serve(_by_expression(ask))  # type: ignore[arg-type]  # three expressions, three results


# --- tables -----------------------------------------------------------------------------------


def _parquet(facts: Sequence[Record]) -> Path:
    """Return a folder with the facts as Parquet, one file for each type."""
    import polars as pl

    folder = Path(tempfile.mkdtemp(prefix="carnet-bench-"))
    for kind in ("product", "certificate"):
        rows = [{"id": name, **fields} for of, name, fields in facts if of == kind]
        pl.DataFrame(rows).write_parquet(folder / f"{kind}.parquet")
    return folder


def _polars() -> None:
    import polars as pl

    def evaluate(folder: Path) -> list[Match]:
        products = pl.scan_parquet(folder / "product.parquet").select(pl.col("id").alias("product"))
        certificates = pl.scan_parquet(folder / "certificate.parquet").select(
            pl.col("product_id").alias("product"), "id", "kind", "printed_valid_until"
        )
        until = pl.col("printed_valid_until")
        end = date.fromordinal(NOTICE_END)
        joined = products.join(certificates, on="product")

        def listed(rule: str, condition: pl.Expr) -> pl.LazyFrame:
            return joined.filter(condition).select("product", pl.lit(rule).alias("rule"), "id")

        valid = certificates.filter((pl.col("kind") == "eu_doc") & (until >= AS_OF))
        missing = products.join(valid, on="product", how="anti").select(
            "product", pl.lit(MISSING).alias("rule"), pl.lit("").alias("id")
        )
        parts = [
            listed(EXPIRED, until < AS_OF),
            listed(EXPIRING, (until >= AS_OF) & (until < end)),
            missing,
        ]
        return pl.concat(parts).collect().rows()

    serve(evaluate, _parquet)


_HAND_WRITTEN = """
SELECT p.id, '{EXPIRED}', c.id FROM product p JOIN certificate c ON c.product_id = p.id
WHERE c.printed_valid_until < DATE '{AS_OF}'
UNION ALL
SELECT p.id, '{EXPIRING}', c.id FROM product p JOIN certificate c ON c.product_id = p.id
WHERE c.printed_valid_until >= DATE '{AS_OF}' AND c.printed_valid_until < DATE '{END_DAY}'
UNION ALL
SELECT p.id, '{MISSING}', '' FROM product p WHERE NOT EXISTS (
  SELECT 1 FROM certificate c WHERE c.product_id = p.id AND c.kind = 'eu_doc'
  AND c.printed_valid_until >= DATE '{AS_OF}')
"""

_FINDINGS = """
CREATE TABLE matched AS {matches};
CREATE TABLE r_finding AS
SELECT m.product AS case_id, m.rule,
  CASE m.rule WHEN '{EXPIRING}' THEN 'minor' ELSE 'blocking' END AS severity,
  CASE m.rule WHEN '{MISSING}' THEN [{{'type': 'product', 'id': m.product}}]
    ELSE [{{'type': 'certificate', 'id': m.certificate}}, {{'type': 'product', 'id': m.product}}]
    END AS facts,
  CASE m.rule
    WHEN '{EXPIRED}' THEN format('Certificate {{}} of {{}} expired on {{}}.', c.id, p.model,
      c.printed_valid_until)
    WHEN '{EXPIRING}' THEN format('Certificate {{}} of {{}} expires on {{}}.', c.id, p.model,
      c.printed_valid_until)
    ELSE format('{{}} has no declaration of conformity in date.', p.model) END AS message_en,
  CASE m.rule
    WHEN '{EXPIRED}' THEN format('{{}} 的证书 {{}} 已于 {{}} 到期。', p.model, c.id,
      c.printed_valid_until)
    WHEN '{EXPIRING}' THEN format('{{}} 的证书 {{}} 将于 {{}} 到期。', p.model, c.id,
      c.printed_valid_until)
    ELSE format('{{}} 没有在有效期内的符合性声明。', p.model) END AS message_zh,
  CASE m.rule WHEN '{EXPIRED}' THEN 'Renew the certificate.'
    WHEN '{EXPIRING}' THEN 'Apply for renewal.' ELSE 'Draw up the declaration.' END AS remedy_en,
  CASE m.rule WHEN '{EXPIRED}' THEN '更新证书。'
    WHEN '{EXPIRING}' THEN '申请更新。' ELSE '编制符合性声明。' END AS remedy_zh,
  ['BENCHMARK-LAW'] AS citation,
  json_object('as_of', '{AS_OF}', 'c.id', c.id, 'c.printed_valid_until',
    c.printed_valid_until::VARCHAR, 'product.model', p.model) AS values_json
FROM matched m JOIN product p ON p.id = m.product LEFT JOIN certificate c ON c.id = m.certificate;
CREATE TABLE r_case AS
SELECT p.id AS case_id, CASE WHEN p.id IN (SELECT case_id FROM r_finding
  WHERE severity = 'blocking') THEN 'nonconforming' ELSE 'conforming' END AS conformity
FROM product p;
"""


_LISTED_FINDINGS = (
    "SELECT case_id, rule, CASE WHEN len(facts) = 2 THEN facts[1].id ELSE '' END FROM r_finding"
)


def _duckdb_query() -> str:
    return f"SELECT * FROM ({_HAND_WRITTEN.format(**_NAMES)}) AS m(product, rule, certificate)"


def _duckdb() -> None:
    """Match rows of Parquet files as they are."""
    import duckdb

    def evaluate(folder: Path) -> list[Match]:
        with duckdb.connect() as connection:
            for kind in ("product", "certificate"):
                path = folder / f"{kind}.parquet"
                connection.execute(f"CREATE VIEW {kind} AS FROM read_parquet('{path}')")
            return connection.execute(_duckdb_query()).fetchall()

    serve(evaluate, _parquet)


def _duckdb_findings() -> None:
    """Make findings with their texts, and verdicts, of rows that stand in tables."""
    import duckdb

    findings = _FINDINGS.format(**_NAMES, matches=_duckdb_query())

    def load(facts: Sequence[Record]) -> Any:
        connection, folder = duckdb.connect(), _parquet(facts)
        for kind in ("product", "certificate"):
            path = folder / f"{kind}.parquet"
            connection.execute(f"CREATE TABLE {kind} AS FROM read_parquet('{path}')")
        return connection

    def evaluate(connection: Any) -> list[Match]:
        connection.execute(findings)
        found: list[Match] = connection.execute(_LISTED_FINDINGS).fetchall()
        connection.execute("DROP TABLE matched; DROP TABLE r_finding; DROP TABLE r_case")
        return found

    serve(evaluate, load)


PEERS: dict[str, Callable[[], None]] = {
    "plain-python": _plain,
    "clips": _clips,
    "drools": _drools,
    "zen": _zen,
    "cel-expr-python": _cel_expr_python,
    "common-expression-language": _common_expression_language,
    "datalogic": _datalogic,
    "polars": _polars,
    "duckdb-sql": _duckdb,
    "duckdb-sql-findings": _duckdb_findings,
}

if __name__ == "__main__":
    os.environ.setdefault("DROOLS_JPY_JVM_MAXMEM", "4G")
    os.environ.setdefault("DROOLS_JPY_JVM_LOG", "logFile=System.err,defaultLogLevel=error")
    PEERS[sys.argv[1]]()
