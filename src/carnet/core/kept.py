"""Values that follow from an object and are worked out once."""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class Kept(Generic[T]):
    """A property whose value is worked out when it is first read, and kept with its object.

    As `functools.cached_property`, but for the lock that Python 3.11 takes at each first reading:
    that costs more than most of the values that a record keeps. Threads that read at once may work
    a value out twice, so it must follow from what never changes.

    Args:
        work: Returns the value of an object, which has no slots.
    """

    def __init__(self, work: Callable[[Any], T]) -> None:
        self._work = work
        self._name = work.__name__
        self.__doc__ = work.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> Self | T:
        """Return the value, or the property itself where a class is asked."""
        if instance is None:
            return self
        value = self._work(instance)
        # Python looks here before it asks this object again.
        instance.__dict__[self._name] = value
        return value
