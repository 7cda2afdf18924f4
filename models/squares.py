"""The transforms of minimal filtering (`models.winograd`) between pictures and the 36 planes of their squares, each in one pass over memory.

A plane holds one of the 36 transformed numbers of every square: (36, squares, channels). Pictures are (B, H, W, channels). Written as products of
matrices, 36 x 36, with the squares copied together before, the same takes four times as long (docs/lab-notes.md). Every transform works on the
pictures ``first`` to ``last`` alone, so that threads can share a batch: squares of one picture overlap, those of two never do.

`Lanes` are `LANES` channels as one value, what a processor's vector registers hold: the compiler does not find them by itself, since it cannot know
that the arrays do not overlap. All of it is in this file because numba's cache of compiled code looks at no other for changes.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit
from numba.core import types
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

SIDE = 4  # of the squares of results
REACH = SIDE + 2  # side of what they depend on
LANES = 8  # numbers; they are two or more registers where one holds fewer
_instruction: Any = intrinsic  # what it decorates takes two arguments less than it is written with
FREELY = ("contract", "nsz")  # products and sums may become one instruction; 0 has no sign


class Lanes(types.Type):
    """`LANES` numbers of one kind."""

    def __init__(self, number: types.Float) -> None:
        super().__init__(name=f"Lanes({number})")
        self.number = number


@register_model(Lanes)
class _Vector(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Lanes) -> None:
        super().__init__(manager, kind, ir.VectorType(manager.lookup(kind.number).get_value_type(), LANES))


def _address(context: Any, builder: ir.IRBuilder, kind: Any, array: Any, place: Any) -> Any:
    """Of `LANES` numbers, as a vector's."""
    vector = context.get_value_type(Lanes(kind.dtype))
    return builder.bitcast(builder.gep(context.make_array(kind)(context, builder, array).data, [place]), vector.as_pointer())


@_instruction
def load(typing: Any, array: Any, place: Any) -> Any:
    """Numbers ``place`` to ``place`` + 7 of a contiguous array, counted through all of its dimensions; nothing looks whether they exist."""
    def generated(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return builder.load(_address(context, builder, signature.args[0], *arguments), align=array.dtype.bitwidth // 8)
    return Lanes(array.dtype)(array, types.intp), generated


@_instruction
def store(typing: Any, lanes: Any, array: Any, place: Any) -> Any:
    """`load` the other way."""
    def generated(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[0], _address(context, builder, signature.args[1], *arguments[1:]), align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()
    return types.void(lanes, array, types.intp), generated


@_instruction
def zeros_like(typing: Any, array: Any) -> Any:
    """Lanes of an array's kind."""
    def generated(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return ir.Constant(context.get_value_type(signature.return_type), None)
    return Lanes(array.dtype)(array), generated


def _of_two(instruction: str) -> Callable:
    @_instruction
    def applied(typing: Any, one: Any, other: Any) -> Any:
        def generated(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
            return getattr(builder, instruction)(*arguments, flags=FREELY)
        return one(one, other), generated
    return applied


@_instruction
def _times(typing: Any, factor: Any, lanes: Any) -> Any:
    def generated(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        vector = context.get_value_type(lanes)
        number = builder.sitofp(arguments[0], vector.element)
        alone = builder.insert_element(ir.Constant(vector, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
        spread = builder.shuffle_vector(alone, alone, ir.Constant(ir.VectorType(ir.IntType(32), LANES), None))
        return builder.fmul(spread, arguments[1], flags=FREELY)
    return lanes(factor, lanes), generated


_plus, _minus = _of_two("fadd"), _of_two("fsub")


@overload(operator.add, strict=False)
def _sum(one: Any, other: Any) -> Callable | None:
    return (lambda one, other: _plus(one, other)) if isinstance(one, Lanes) and one == other else None


@overload(operator.sub, strict=False)
def _difference(one: Any, other: Any) -> Callable | None:
    return (lambda one, other: _minus(one, other)) if isinstance(one, Lanes) and one == other else None


@overload(operator.mul, strict=False)
def _product(one: Any, other: Any) -> Callable | None:
    return (lambda one, other: _times(one, other)) if isinstance(one, types.Integer) and isinstance(other, Lanes) else None


_shared = njit(forceinline=True)


def _compiled(transform: Callable) -> Any:
    """At its first call, and from then on read from a cache on disk; where there is no place for one, anew in every process."""
    try:
        return njit(nogil=True, error_model="numpy", cache=True)(transform)
    except RuntimeError:  # neither this folder nor the user's cache can be written
        return njit(nogil=True, error_model="numpy")(transform)


@_shared
def taken(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:
    """Six numbers of a row → six to be multiplied."""
    return (4 * a - 5 * c + e, e - 4 * c + (d - 4 * b), e - 4 * c - (d - 4 * b), e - c + 2 * (d - b), e - c - 2 * (d - b), 4 * b - 5 * d + f)


@_shared
def taken_back(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:
    """`taken`, transposed."""
    return (4 * a, 4 * (c - b + f) + 2 * (e - d), -5 * a - 4 * (b + c) - (d + e), b - c + 2 * (d - e) - 5 * f, a + (b + c) + (d + e), f)


@_shared
def results(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:
    """Six products → four results of a row."""
    return (a + (b + c) + (d + e), b - c + 2 * (d - e), b + c + 4 * (d + e), b - c + 8 * (d - e) + f)


@_shared
def results_back(a: Any, b: Any, c: Any, d: Any) -> Any:
    """`results`, transposed."""
    return (a, a + c + (b + d), a + c - (b + d), a + 4 * c + 2 * (b + 4 * d), a + 4 * c - 2 * (b + 4 * d), d)


@_shared
def _number(x: Any, n: Any, row: Any, column: Any, channel: Any) -> Any:
    """Around the pictures are zeros."""
    height, width, channels = x.shape[1:]
    if 0 <= row < height and 0 <= column < width:
        return load(x, ((n * height + row) * width + column) * channels + channel)
    return zeros_like(x)


@_shared
def _six(x: Any, n: Any, row: Any, left: Any, channel: Any) -> Any:
    return (_number(x, n, row, left, channel), _number(x, n, row, left + 1, channel), _number(x, n, row, left + 2, channel),
            _number(x, n, row, left + 3, channel), _number(x, n, row, left + 4, channel), _number(x, n, row, left + 5, channel))


@_shared
def _four(x: Any, place: Any, step: Any) -> Any:
    return load(x, place), load(x, place + step), load(x, place + 2 * step), load(x, place + 3 * step)


@_shared
def _planes(planes: Any, place: Any, step: Any) -> Any:
    return (load(planes, place), load(planes, place + step), load(planes, place + 2 * step), load(planes, place + 3 * step),
            load(planes, place + 4 * step), load(planes, place + 5 * step))


@_compiled
def take(x: Any, planes: Any, first: int, last: int) -> None:
    """Pictures → planes, `taken` from both sides of every 6 x 6 window."""
    _, height, width, channels = x.shape
    plane = planes.strides[0] // planes.itemsize
    for n in range(first, last):
        for row in range(height // SIDE):
            for column in range(width // SIDE):
                top, left = SIDE * row - 1, SIDE * column - 1
                square = ((n * (height // SIDE) + row) * (width // SIDE) + column) * channels
                for channel in range(0, channels, LANES):
                    a, b = taken(*_six(x, n, top, left, channel)), taken(*_six(x, n, top + 1, left, channel))
                    c, d = taken(*_six(x, n, top + 2, left, channel)), taken(*_six(x, n, top + 3, left, channel))
                    e, f = taken(*_six(x, n, top + 4, left, channel)), taken(*_six(x, n, top + 5, left, channel))
                    for j in range(REACH):
                        done = taken(a[j], b[j], c[j], d[j], e[j], f[j])
                        for i in range(REACH):
                            store(done[i], planes, (REACH * i + j) * plane + square + channel)


@_compiled
def take_back(planes: Any, x: Any, first: int, last: int) -> None:
    """Adds planes to pictures, `taken_back` from both sides."""
    _, height, width, channels = x.shape
    plane = planes.strides[0] // planes.itemsize
    for n in range(first, last):
        for row in range(height // SIDE):
            for column in range(width // SIDE):
                top, left = SIDE * row - 1, SIDE * column - 1
                square = ((n * (height // SIDE) + row) * (width // SIDE) + column) * channels
                for channel in range(0, channels, LANES):
                    place = square + channel
                    a, b = taken_back(*_planes(planes, place, plane)), taken_back(*_planes(planes, place + 6 * plane, plane))
                    c, d = taken_back(*_planes(planes, place + 12 * plane, plane)), taken_back(*_planes(planes, place + 18 * plane, plane))
                    e, f = taken_back(*_planes(planes, place + 24 * plane, plane)), taken_back(*_planes(planes, place + 30 * plane, plane))
                    for j in range(REACH):
                        done = taken_back(a[j], b[j], c[j], d[j], e[j], f[j])
                        for i in range(REACH):
                            if 0 <= top + i < height and 0 <= left + j < width:
                                at = ((n * height + top + i) * width + left + j) * channels + channel
                                store(load(x, at) + done[i], x, at)


@_compiled
def give(planes: Any, y: Any, first: int, last: int) -> None:
    """Planes of products → pictures, `results` from both sides."""
    _, height, width, channels = y.shape
    plane = planes.strides[0] // planes.itemsize
    for n in range(first, last):
        for row in range(height // SIDE):
            for column in range(width // SIDE):
                square = ((n * (height // SIDE) + row) * (width // SIDE) + column) * channels
                corner = ((n * height + SIDE * row) * width + SIDE * column) * channels
                for channel in range(0, channels, LANES):
                    place = square + channel
                    a, b = results(*_planes(planes, place, plane)), results(*_planes(planes, place + 6 * plane, plane))
                    c, d = results(*_planes(planes, place + 12 * plane, plane)), results(*_planes(planes, place + 18 * plane, plane))
                    e, f = results(*_planes(planes, place + 24 * plane, plane)), results(*_planes(planes, place + 30 * plane, plane))
                    for j in range(SIDE):
                        done = results(a[j], b[j], c[j], d[j], e[j], f[j])
                        for i in range(SIDE):
                            store(done[i], y, corner + (i * width + j) * channels + channel)


@_compiled
def give_back(y: Any, planes: Any, first: int, last: int) -> None:
    """Pictures → planes, `results_back` from both sides of every 4 x 4 square."""
    _, height, width, channels = y.shape
    plane = planes.strides[0] // planes.itemsize
    for n in range(first, last):
        for row in range(height // SIDE):
            for column in range(width // SIDE):
                square = ((n * (height // SIDE) + row) * (width // SIDE) + column) * channels
                corner = ((n * height + SIDE * row) * width + SIDE * column) * channels
                for channel in range(0, channels, LANES):
                    place, step = corner + channel, width * channels
                    a, b = results_back(*_four(y, place, channels)), results_back(*_four(y, place + step, channels))
                    c, d = results_back(*_four(y, place + 2 * step, channels)), results_back(*_four(y, place + 3 * step, channels))
                    for j in range(REACH):
                        done = results_back(a[j], b[j], c[j], d[j])
                        for i in range(REACH):
                            store(done[i], planes, (REACH * i + j) * plane + square + channel)
