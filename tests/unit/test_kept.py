"""Properties that are worked out once."""

from carnet.core.kept import Kept


class Box:
    def __init__(self) -> None:
        self.asked = 0

    @Kept
    def content(self) -> int:
        """What is inside."""
        self.asked += 1
        return self.asked


def test_kept__is_worked_out_once_for_each_object() -> None:
    first, second = Box(), Box()
    assert [first.content, first.content, second.content] == [1, 1, 1]
    assert first.asked == 1


def test_kept__of_a_class_is_the_property_itself() -> None:
    assert isinstance(Box.content, Kept)
    assert Box.content.__doc__ == "What is inside."
