"""Work spread over processes of one thread each, with the same results in the same order for any number of them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import joblib


def in_processes(function: Callable, tasks: Sequence[tuple], jobs: int) -> Iterator[Any]:
    """``function(*task)`` of each task, in order; in this process where ``jobs`` is 1 or there is one task. Memory-mapped arguments travel by
    name, not by value; names of files should be whole ones, since a process may have begun in another folder."""
    if jobs == 1 or len(tasks) <= 1:
        return (function(*task) for task in tasks)
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        run = joblib.Parallel(n_jobs=jobs, return_as="generator", pre_dispatch="3*n_jobs", batch_size=1)
        return iter(run(joblib.delayed(function)(*task) for task in tasks))
