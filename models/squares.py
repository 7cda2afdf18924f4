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
def _window(x: Any, n: Any, row: Any, left: Any, channel: Any) -> Any:
    return (_number(x, n, row, left, channel), _number(x, n, row, left + 1, channel), _number(x, n, row, left + 2, channel),
            _number(x, n, row, left + 3, channel), _number(x, n, row, left + 4, channel), _number(x, n, row, left + 5, channel))


@_shared
def _four(x: Any, place: Any, step: Any) -> Any:
    return load(x, place), load(x, place + step), load(x, place + 2 * step), load(x, place + 3 * step)


@_shared
def _six(x: Any, place: Any, step: Any) -> Any:
    return (load(x, place), load(x, place + step), load(x, place + 2 * step), load(x, place + 3 * step), load(x, place + 4 * step),
            load(x, place + 5 * step))


@_shared
def _six_rows(way: Any, planes: Any, place: Any, plane: Any) -> Any:
    row = REACH * plane
    return (way(*_six(planes, place, plane)), way(*_six(planes, place + row, plane)), way(*_six(planes, place + 2 * row, plane)),
            way(*_six(planes, place + 3 * row, plane)), way(*_six(planes, place + 4 * row, plane)), way(*_six(planes, place + 5 * row, plane)))


@_shared
def _each_square(one: Any, x: Any, planes: Any, first: Any, last: Any) -> None:
    """``one(x, planes, n, top, left, channel, place, plane)``: the corner of a 4 x 4 square of picture ``n``, the first of its `LANES` channels,
    where they are in the first plane, and how far apart planes are."""
    _, height, width, channels = x.shape
    plane = planes.strides[0] // planes.itemsize
    for n in range(first, last):
        for top in range(0, height, SIDE):
            for left in range(0, width, SIDE):
                place = ((n * (height // SIDE) + top // SIDE) * (width // SIDE) + left // SIDE) * channels
                for channel in range(0, channels, LANES):
                    one(x, planes, n, top, left, channel, place + channel, plane)


@_shared
def _take(x: Any, planes: Any, n: Any, top: Any, left: Any, channel: Any, place: Any, plane: Any) -> None:
    y, z = top - 1, left - 1
    a, b, c = taken(*_window(x, n, y, z, channel)), taken(*_window(x, n, y + 1, z, channel)), taken(*_window(x, n, y + 2, z, channel))
    d, e, f = taken(*_window(x, n, y + 3, z, channel)), taken(*_window(x, n, y + 4, z, channel)), taken(*_window(x, n, y + 5, z, channel))
    for j in range(REACH):
        done = taken(a[j], b[j], c[j], d[j], e[j], f[j])
        for i in range(REACH):
            store(done[i], planes, place + (REACH * i + j) * plane)


@_shared
def _take_back(x: Any, planes: Any, n: Any, top: Any, left: Any, channel: Any, place: Any, plane: Any) -> None:
    height, width, channels = x.shape[1:]
    a, b, c, d, e, f = _six_rows(taken_back, planes, place, plane)
    for j in range(REACH):
        done = taken_back(a[j], b[j], c[j], d[j], e[j], f[j])
        for i in range(REACH):
            y, z = top - 1 + i, left - 1 + j
            if 0 <= y < height and 0 <= z < width:
                there = ((n * height + y) * width + z) * channels + channel
                store(load(x, there) + done[i], x, there)


@_shared
def _give(y: Any, planes: Any, n: Any, top: Any, left: Any, channel: Any, place: Any, plane: Any) -> None:
    height, width, channels = y.shape[1:]
    a, b, c, d, e, f = _six_rows(results, planes, place, plane)
    for j in range(SIDE):
        done = results(a[j], b[j], c[j], d[j], e[j], f[j])
        for i in range(SIDE):
            store(done[i], y, ((n * height + top + i) * width + left + j) * channels + channel)


@_shared
def _give_back(y: Any, planes: Any, n: Any, top: Any, left: Any, channel: Any, place: Any, plane: Any) -> None:
    height, width, channels = y.shape[1:]
    corner, row = ((n * height + top) * width + left) * channels + channel, width * channels
    a, b = results_back(*_four(y, corner, channels)), results_back(*_four(y, corner + row, channels))
    c, d = results_back(*_four(y, corner + 2 * row, channels)), results_back(*_four(y, corner + 3 * row, channels))
    for j in range(REACH):
        done = results_back(a[j], b[j], c[j], d[j])
        for i in range(REACH):
            store(done[i], planes, place + (REACH * i + j) * plane)


@_compiled
def take(x: Any, planes: Any, first: int, last: int) -> None:
    """Pictures → planes, `taken` from both sides of every square with the row or column of numbers around it."""
    _each_square(_take, x, planes, first, last)


@_compiled
def take_back(x: Any, planes: Any, first: int, last: int) -> None:
    """Adds planes to pictures, `taken_back` from both sides."""
    _each_square(_take_back, x, planes, first, last)


@_compiled
def give(y: Any, planes: Any, first: int, last: int) -> None:
    """Planes of products → pictures, `results` from both sides."""
    _each_square(_give, y, planes, first, last)


@_compiled
def give_back(y: Any, planes: Any, first: int, last: int) -> None:
    """Pictures → planes, `results_back` from both sides of every square."""
    _each_square(_give_back, y, planes, first, last)
