"""Work spread over processes of one thread each, with the same results in the same order for any number of them."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

import joblib
from threadpoolctl import ThreadpoolController


def in_processes(function: Callable, tasks: Sequence[tuple], jobs: int) -> Iterator[Any]:
    """``function(*task)`` of each task, in order; in this process where ``jobs`` is 1 or there is one task. Memory-mapped arguments travel by
    name, not by value; relative names of files mean what they mean here, wherever a process has begun."""
    if jobs == 1 or len(tasks) <= 1:
        return (function(*task) for task in tasks)
    folder = Path.cwd()
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        run = joblib.Parallel(n_jobs=jobs, return_as="generator", pre_dispatch="3*n_jobs", batch_size=1)
        return iter(run(joblib.delayed(_in_folder)(folder, function, *task) for task in tasks))


def one_thread() -> AbstractContextManager:
    """Products of matrices by one thread: the same sums in the same order on any machine, and small ones several times as fast."""
    return _products().limit(limits=1)


@cache
def _products() -> ThreadpoolController:
    """Of this process; looked for once, since that takes 5 ms."""
    return ThreadpoolController()


def _in_folder(folder: Path, function: Callable, *task: Any) -> Any:
    os.chdir(folder)
    return function(*task)
