"""Roles, keys, delays and the pause: who may do what, and what nobody may."""

import pytest

from tests.fixtures_contracts import (
    PLATFORM_ID,
    ZERO,
    RevertedError,
    World,
    appoint,
    make_world,
    signer,
)

DELAY = 48 * 3_600
EVERYTHING = 2**96 - 1


@pytest.fixture
def delayed() -> World:
    return make_world(delay=DELAY)


def test_pause__only_the_pauser(world: World) -> None:
    for who in ("admin", "stranger", "compliance"):
        world.refused("AccessControlUnauthorizedAccount", "pause", sender=who)


def test_unpause__only_the_administrator(world: World) -> None:
    world.book.send(signer("pauser"), "pause")
    world.refused("AccessControlUnauthorizedAccount", "unpause", sender="pauser")
    world.book.send(signer("admin"), "unpause")
    world.register()


def test_attack__pause_traps_no_repayment(world: World) -> None:
    paid, swept, early = world.funded(), world.funded(), world.funded()
    frozen = world.funded()
    world.freeze(frozen)
    world.book.send(signer("pauser"), "pause")
    world.book.send(signer("debtor"), "settle", paid, EVERYTHING)
    world.book.send(signer("seller"), "repayEarly", early, EVERYTHING)
    world.pay_lockbox(swept, 10**11)
    assert world.book.send(signer("stranger"), "performUpkeep", swept + b"\x01").has("Closed")
    world.book.send(signer("debtor"), "settle", frozen, EVERYTHING)
    assert world.freeze(frozen, "unfreeze", code=0).has("HoldReleased")
    assert world.book.read("paused") is True
    assert world.balance(world.book.address) == 0


def test_set_platform__only_the_administrator(world: World) -> None:
    world.refused("AccessControlUnauthorizedAccount", "setPlatform", 1, signer("thief").address)


def test_set_platform__removes_a_key(world: World) -> None:
    receipt = world.book.send(signer("admin"), "setPlatform", PLATFORM_ID, ZERO)
    assert receipt.event("PlatformSet") == {"platformId": PLATFORM_ID, "signer": ZERO}
    with pytest.raises(RevertedError, match="PlatformUnknown"):
        world.register()


def test_delay__grants_and_keys_must_be_announced(delayed: World) -> None:
    book, admin = delayed.book, signer("admin")
    lender = (book.read("LENDER_ROLE"), signer("lender").address)
    delayed.refused("ChangeNotDue", "grantRole", *lender, sender="admin")
    platform = (PLATFORM_ID, signer("platform").address)
    delayed.refused("ChangeNotDue", "setPlatform", *platform, sender="admin")
    call = book.data("grantRole", *lender)
    receipt = book.send(admin, "announce", call)
    assert receipt.event("ChangeAnnounced")["call"] == call
    delayed.chain.set_time(delayed.chain.now + DELAY - 1)
    delayed.refused("ChangeNotDue", "grantRole", *lender, sender="admin")
    delayed.chain.set_time(delayed.chain.now + 1)
    book.send(admin, "grantRole", *lender)
    assert book.read("hasRole", *lender)
    book.send(admin, "revokeRole", *lender)
    delayed.refused("ChangeNotDue", "grantRole", *lender, sender="admin")


def test_delay__an_announcement_does_not_stay_open_for_ever(delayed: World) -> None:
    book = delayed.book
    values = (book.read("LENDER_ROLE"), signer("lender").address)
    book.send(signer("admin"), "announce", book.data("grantRole", *values))
    window = int(book.read("CHANGE_WINDOW"))
    delayed.chain.set_time(delayed.chain.now + DELAY + window + 1)
    delayed.refused("ChangeNotDue", "grantRole", *values, sender="admin")
    book.send(signer("admin"), "announce", book.data("grantRole", *values))
    delayed.chain.set_time(delayed.chain.now + DELAY + window)
    book.send(signer("admin"), "grantRole", *values)


def test_delay__a_lost_platform_key_is_removed_at_once(delayed: World) -> None:
    receipt = delayed.book.send(signer("admin"), "setPlatform", PLATFORM_ID, ZERO)
    assert receipt.has("PlatformSet")


def test_delay__only_the_administrator_announces(delayed: World) -> None:
    delayed.refused("AccessControlUnauthorizedAccount", "announce", b"\x01")


def test_delay__announced_by_the_administrator_is_not_for_others(delayed: World) -> None:
    book = delayed.book
    values = (book.read("LENDER_ROLE"), signer("thief").address)
    book.send(signer("admin"), "announce", book.data("grantRole", *values))
    delayed.chain.set_time(delayed.chain.now + DELAY)
    delayed.refused("AccessControlUnauthorizedAccount", "grantRole", *values, sender="thief")
    book.send(signer("admin"), "grantRole", *values)


def test_delay__a_pauser_is_granted_at_once(delayed: World) -> None:
    book = delayed.book
    book.send(signer("admin"), "grantRole", book.read("PAUSER_ROLE"), signer("pauser").address)
    assert book.send(signer("pauser"), "pause").has("Paused")


def test_delay__none_on_a_development_chain(world: World) -> None:
    appoint(world)
    assert world.book.read("CHANGE_DELAY") == 0


def test_attack__renouncing_to_nobody(delayed: World) -> None:
    delayed.refused("AddressInvalid", "beginDefaultAdminTransfer", ZERO, sender="admin")
    role = delayed.book.read("DEFAULT_ADMIN_ROLE")
    delayed.refused(
        "AccessControlEnforcedDefaultAdminDelay",
        "renounceRole",
        role,
        signer("admin").address,
        sender="admin",
    )


def test_attack__administrator_granted_without_hand_over(world: World) -> None:
    role = world.book.read("DEFAULT_ADMIN_ROLE")
    values = (role, signer("thief").address)
    world.refused("AccessControlEnforcedDefaultAdminRules", "grantRole", *values, sender="admin")


def test_hand_over__two_steps_and_a_delay(delayed: World) -> None:
    book, heir = delayed.book, signer("heir")
    book.send(signer("admin"), "beginDefaultAdminTransfer", heir.address)
    delayed.refused(
        "AccessControlEnforcedDefaultAdminDelay", "acceptDefaultAdminTransfer", sender="heir"
    )
    delayed.chain.set_time(delayed.chain.now + DELAY + 1)
    delayed.refused(
        "AccessControlInvalidDefaultAdmin", "acceptDefaultAdminTransfer", sender="thief"
    )
    book.send(heir, "acceptDefaultAdminTransfer")
    assert book.read("defaultAdmin") == heir.address.lower()


def test_test_dollar__only_minters_mint(world: World) -> None:
    with pytest.raises(RevertedError, match="AccessControlUnauthorizedAccount"):
        world.asset.send(signer("stranger"), "mint", signer("stranger").address, 1)
    assert world.asset.read("decimals") == 6
