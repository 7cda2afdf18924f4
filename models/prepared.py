"""What a fitted object works out of its arrays once, for all predictions: kept in memory, never saved."""

from functools import cached_property


class Prepares:
    """Cached properties are left out of what is pickled, and worked out again where it is loaded."""

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name not in self._prepared()}

    def forget(self) -> None:
        """To be called by whatever changes the arrays."""
        for name in self._prepared() & set(self.__dict__):
            del self.__dict__[name]

    def _prepared(self) -> set[str]:
        return {name for kind in type(self).__mro__ for name, value in vars(kind).items() if isinstance(value, cached_property)}
