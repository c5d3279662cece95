import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from carnet.chain.contract import ContractAbi, signature_of
from carnet.chain.reverts import describe_revert
from carnet.chain.words import ERROR_WORDS

POINT = {
    "type": "tuple",
    "name": "point",
    "components": [{"type": "uint64", "name": "size"}, {"type": "bytes32", "name": "root"}],
}
ACCOUNT = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
ABI = ContractAbi(
    [
        {"type": "constructor", "inputs": [{"type": "address", "name": "admin"}]},
        {
            "type": "function",
            "name": "move",
            "inputs": [POINT, {"type": "address", "name": "to"}],
            "outputs": [{**POINT, "type": "tuple[]"}, {"type": "address", "name": ""}],
        },
        {
            "type": "event",
            "name": "Moved",
            "anonymous": False,
            "inputs": [
                {"type": "address", "name": "from", "indexed": True},
                {"type": "uint64", "name": "size", "indexed": False},
                {"type": "bytes32", "name": "root", "indexed": True},
            ],
        },
        {
            "type": "error",
            "name": "SizeNotIncreasing",
            "inputs": [
                {"type": "uint64", "name": "headSize"},
                {"type": "uint64", "name": "size"},
            ],
        },
    ]
)


def test_encode_call__structs_are_tuples_in_the_selector() -> None:
    data = ABI.encode_call("move", (7, b"\1" * 32), ACCOUNT)
    assert data[:4] == keccak(text="move((uint64,bytes32),address)")[:4]
    assert data[4:] == encode(["(uint64,bytes32)", "address"], [(7, b"\1" * 32), ACCOUNT])


def test_encode_call__a_value_that_does_not_fit_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="move"):
        ABI.encode_call("move", (2**64, b"\1" * 32), ACCOUNT)


def test_decode_result__structs_come_back_by_name() -> None:
    data = encode(["(uint64,bytes32)[]", "address"], [[(7, b"\1" * 32)], ACCOUNT.lower()])
    points, account = ABI.decode_result("move", data)
    assert dict(points[0]) == {"size": 7, "root": b"\1" * 32}
    assert account == ACCOUNT


def test_decode_logs__indexed_and_plain_values_in_the_order_of_the_abi() -> None:
    log = {
        "address": ACCOUNT.lower(),
        "topics": [
            "0x" + keccak(text="Moved(address,uint64,bytes32)").hex(),
            "0x" + encode(["address"], [ACCOUNT]).hex(),
            "0x" + "02" * 32,
        ],
        "data": "0x" + encode(["uint64"], [9]).hex(),
        "blockNumber": "0x5",
        "logIndex": "0x1",
        "transactionHash": "0x" + "03" * 32,
    }
    other = {**log, "address": "0x" + "11" * 20}
    (event,) = ABI.decode_logs([other, log], address=ACCOUNT)
    assert list(event.values.items()) == [("from", ACCOUNT), ("size", 9), ("root", b"\2" * 32)]
    assert (event.name, event.block_number, event.log_index) == ("Moved", 5, 1)


def test_signature_of__nested_arrays_of_structs() -> None:
    entry = {"name": "f", "inputs": [{**POINT, "type": "tuple[2][]"}]}
    assert signature_of(entry) == "f((uint64,bytes32)[2][])"


def _custom(*values: int) -> bytes:
    selector = keccak(text="SizeNotIncreasing(uint64,uint64)")[:4]
    return selector + encode(["uint64"] * len(values), list(values))


def test_describe_revert__a_custom_error_in_words_with_its_values() -> None:
    revert = describe_revert(_custom(9, 8), [ABI], ERROR_WORDS)
    assert revert.reason == "SizeNotIncreasing(headSize=9, size=8)"
    assert "anchored already" in revert.message.en
    assert "已锚定" in revert.message.zh


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes.fromhex("08c379a0") + encode(["string"], ["too late"]), "too late"),
        (bytes.fromhex("4e487b71") + encode(["uint256"], [0x11]), "Panic(0x11)"),
        (b"", "no reason given"),
        (b"\xde\xad", "0xdead"),
        (_custom(9), "0x" + _custom(9).hex()),
        (bytes.fromhex("08c379a0ff"), "0x08c379a0ff"),
    ],
    ids=["text", "panic", "empty", "unknown", "truncated-custom", "truncated-text"],
)
def test_describe_revert__anything_else(data: bytes, reason: str) -> None:
    assert describe_revert(data, [ABI], ERROR_WORDS).reason == reason
