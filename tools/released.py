"""Record the digests of the shipped packs that are released; nothing recorded is ever replaced.

Run it when a version of a pack is released: ``python3 tools/released.py``. A version that was
recorded and has another digest now was edited after its release, which is refused.
"""

import json
import sys

from carnet.rules.pack import load_pack
from carnet.rules.released import RELEASED_FILE, check_unedited, released_digests
from carnet.rules.shelf import SHELF, shelved_packs


def main() -> None:
    """Add what is missing to the file of the shelf."""
    recorded = released_digests(SHELF)
    for shelved in shelved_packs(SHELF):
        pack = load_pack(shelved.folder)
        name = f"{pack.id}@{pack.version}"
        check_unedited(pack, recorded.get(name))
        if pack.status == "released" and name not in recorded:
            recorded[name] = pack.digest.hex()
            print(f"{name} {recorded[name]}")
    text = json.dumps(recorded, indent=2, sort_keys=True) + "\n"
    (SHELF / RELEASED_FILE).write_text(text, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
