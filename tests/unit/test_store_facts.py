"""Facts in the database: added, versioned, read back equal."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine

from carnet.facts.fact import Fact, Source, fact_from_json
from carnet.store import facts as stored
from carnet.store.engine import reading, writing

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HERE = Source("party.csv", 2)


def party(fact_id: str, name: str = "Seller", **more: str) -> Fact:
    return fact_from_json(
        {"type": "party", "id": fact_id, "name": name, "country": "CN", "source": "a:1", **more}
    )


def channel(fact_id: str) -> Fact:
    return fact_from_json(
        {"type": "channel", "id": fact_id, "name": "Channel", "kind": "fully_managed"}
    )


def add(connection: Connection, facts: Sequence[Fact], version: int = 1) -> int:
    import_id = stored.insert_import(
        connection, at=AT, facts_new=len(facts), facts_replaced=0, facts_known=0, files=[]
    )
    versions = [stored.version_of(fact, HERE, version=version) for fact in facts]
    stored.insert_facts(connection, import_id, versions)
    return import_id


def test_digest__does_not_depend_on_where_a_fact_was_read() -> None:
    here = party("P-1")
    there = fact_from_json(here.to_json() | {"source": "other.csv:9"})
    assert here != there
    assert stored.fact_digest(here) == stored.fact_digest(there)
    assert stored.fact_digest(here) != stored.fact_digest(party("P-1", "Other"))
    assert stored.fact_digest(here) != stored.fact_digest(party("P-2"))


def test_current_facts__equal_what_was_stored_in_order(engine: Engine) -> None:
    facts = [party("b"), party("B"), channel("C-1"), party("a")]
    with writing(engine) as connection:
        add(connection, facts)
    with reading(engine) as connection:
        found = list(stored.current_facts(connection))
        assert list(stored.current_facts(connection, ["channel"])) == [facts[2]]
    assert found == [facts[2], facts[1], facts[3], facts[0]]


def test_current_facts__highest_version_wins_and_history_stays(engine: Engine) -> None:
    with writing(engine) as connection:
        add(connection, [party("P-1", "One"), party("P-2")])
        add(connection, [party("P-1", "Two")], version=2)
        add(connection, [party("P-1", "Three")], version=3)
    with reading(engine) as connection:
        names = {fact.id: fact.fields["name"] for fact in stored.current_facts(connection)}
        assert names == {"P-1": "Three", "P-2": "Seller"}
        versions = stored.history(connection, "party", "P-1")
        assert [each.version for each in versions] == [1, 2, 3]
        assert [each.fact().fields["name"] for each in versions] == ["One", "Two", "Three"]
        assert stored.existing(connection, "party", ["P-1"])["P-1"].version == 3
        assert stored.count_by_type(connection) == {"party": 2}


def test_existing__of_more_ids_than_one_query_takes(engine: Engine) -> None:
    ids = [f"P-{number:05}" for number in range(stored.CHUNK * 2 + 1)]
    with writing(engine) as connection:
        add(connection, [party(each) for each in ids])
    wanted = [*ids, "P-absent"]
    with reading(engine) as connection:
        assert sorted(stored.existing(connection, "party", wanted)) == ids
        assert stored.known_ids(connection, "party", wanted) == frozenset(ids)
        assert stored.known_ids(connection, "channel", wanted) == frozenset()


def test_find_fact(engine: Engine) -> None:
    with writing(engine) as connection:
        add(connection, [party("P-1")])
    with reading(engine) as connection:
        assert stored.find_fact(connection, "party", "P-1") == party("P-1")
        assert stored.find_fact(connection, "party", "P-2") is None
        assert stored.find_fact(connection, "channel", "P-1") is None


def test_insert_import__numbers_grow(engine: Engine) -> None:
    with writing(engine) as connection:
        first, second = add(connection, [party("P-1")]), add(connection, [party("P-2")])
    assert second > first
