"""That a file was published: its name and what it contains, by digest."""

from typing import Final

from carnet.core.text import Text
from carnet.ledger import shape
from carnet.ledger.kinds.base import RecordKind

PUBLICATION: Final = RecordKind(
    name="publication",
    type_name="CarnetPublication",
    title=Text("Publication of a file", "文件发布"),
    noun="publication",
    required={
        "name": shape.name,
        "sha256": shape.digest,
        "size": shape.integer(0),
    },
    named_by=("name",),
    has_status=True,
)
