"""People's part: the review page over what the stages wrote (`review`), and what several people's votes come to (`count_votes`).

Reads manifest.parquet, decisions.csv, cleaning.parquet, the out-of-fold probabilities and the tiles of the cache; appends to overrides.csv, from
which ``clean`` and ``train`` take people's decisions. Opens no picture file unless its full size is asked for.
"""

import errno
import getpass
import importlib.util
import shlex
import socket
import threading
import webbrowser
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cleaning.overrides import Places, append_overrides, complete_columns, read_overrides, standing
from cleaning.votes import GroupAgreement, PairAgreement, group_agreements, pair_agreements, settlements, tallies
from features.errors import ScratchworkError
from features.store import FeatureStore
from reports.report_made import cleaning_options
from reports.review_queues import DIGEST_CHARS, Material, review_index
from scoring import last_trained
from workspace import Workspace, cleaning_card, default_data, predictions_file, read_decisions, read_manifest

if TYPE_CHECKING:  # the extra [review]
    from reports.review_app import ReviewState

FIRST_PORT, PORTS = 8765, 20
LOOPBACK = "127.0.0.1"
LINGER_S = 2  # for answers under way when the server is ended


@dataclass(frozen=True)
class ReviewSettings:
    """``root``: the data folder, None for the one that was scanned; ``model``: whose errors are shown, None for the one trained last; ``port``: None
    for the first that is free."""

    root: Path | None = None
    model: Path | None = None
    host: str = LOOPBACK
    port: int | None = None
    open_browser: bool = True
    reviewer: str = ""
    lang: str = "en"


def review(workspace: Workspace, settings: ReviewSettings, tell: Callable[[str], None]) -> int:
    """Serve the page until it is interrupted; how many decisions stand in the journal then. ``tell`` is given the address first."""
    require_extra()
    state = review_state(workspace, settings)
    with listening(settings.host, settings.port) as listener, suppress(KeyboardInterrupt):
        port = int(listener.getsockname()[1])
        shown = settings.host if settings.host not in ("0.0.0.0", "::", "") else LOOPBACK
        address = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/?token={state.keys.address}"
        tell(address)
        if settings.host not in (LOOPBACK, "localhost", "::1"):
            workspace.notice(f"WARNING: the page listens on {settings.host}: everybody on the network who has the token in the address can see the "
                             "pictures and decide, and the connection is not encrypted")
        if not (settings.open_browser and opened(address)):
            workspace.notice("open this address in a browser; Ctrl-C ends the review")
        serve(state, listener, settings.host, port)
    return len(state.journal.changes()[1])


def require_extra() -> None:
    """Raises `ScratchworkError` where the packages of the page are not installed."""
    missing = [name for name in ("starlette", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        raise ScratchworkError(f"the review page needs {' and '.join(missing)}: pip install 'scratchwork[review]'")


def review_state(workspace: Workspace, settings: ReviewSettings) -> "ReviewState":
    """Everything that the page shows, from the artifacts. Raises `ScratchworkError` where there is no manifest."""
    from reports.review_app import ReviewState
    from reports.review_journal import LiveJournal

    manifest = read_manifest(workspace)
    root = settings.root or Path(manifest.attrs.get("root", workspace.data))
    model = settings.model or last_trained(workspace.artifacts)
    if settings.model and not predictions_file(model).exists():
        raise ScratchworkError(f"{predictions_file(model)} does not exist, so what {model} said of pictures that it had not seen is not known; train "
                               "again")
    material = Material(manifest, _decisions(workspace), _table(workspace.artifacts / "cleaning.parquet"),
                        _table(workspace.artifacts / "cleaning.oof.parquet"), _table(predictions_file(model)), missing_files(root, manifest))
    if not root.is_dir():
        workspace.notice(f"{root} is not there any more: pictures are shown from the cache; give the folder with --data")
    elif material.gone:
        workspace.notice(f"{len(material.gone):,} pictures are gone since the scan: they are shown from the cache and can be decided")
    journal = LiveJournal(workspace.artifacts / "overrides.csv", manifest)
    journal.changes()  # a row that makes no sense is named now, not at the first click
    return ReviewState(review_index(material), manifest["sha256"].tolist(), journal, tile_reader(workspace.store), root,
                       commands(settings.root, workspace.artifacts), settings.reviewer or login_name(), settings.lang, model.stem,
                       workspace.settings.max_pixels)


def tile_reader(store: FeatureStore) -> Callable[[str], np.ndarray | None]:
    """From the beginning of a digest to its tile in the cache, None where it has none."""
    tiles = store.tiles
    rows = {str(digest)[:DIGEST_CHARS]: int(row) for digest, row in store.index["row"].items() if row >= 0}
    return lambda digest: np.asarray(tiles[rows[digest]]) if digest in rows else None


def missing_files(root: Path, manifest: pd.DataFrame) -> frozenset[str]:
    """Paths of readable pictures whose file has gone; none where the whole folder has."""
    if not root.is_dir():
        return frozenset()
    return frozenset(str(path) for path in manifest.index[manifest["issue"] == ""] if not (root / str(path)).exists())


def commands(root: Path | None, artifacts: Path) -> list[str]:
    """What puts the decisions into effect, with the folders of this review, and cleans as it was done before."""
    options = [f" --data {shlex.quote(str(root))}" * bool(root), f" --artifacts {shlex.quote(str(artifacts))}" * (artifacts != Path("artifacts"))]
    settings, _ = cleaning_card(Workspace(root or default_data(), artifacts))
    return [f"python cli.py {name}{''.join(options)}{more}" for name, more in (("clean", cleaning_options(asdict(settings))), ("train", ""))]


def login_name() -> str:
    """Who sits here, as the system knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "reviewer"


def listening(host: str, port: int | None) -> socket.socket:
    """A socket that listens on ``port``, or on the first free one. Raises `ScratchworkError` where there is none."""
    for number in [port] if port is not None else range(FIRST_PORT, FIRST_PORT + PORTS):
        try:
            listener = socket.create_server((host, number), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=128)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else an answer waits 40 ms for the browser to confirm its first part
            return listener
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ScratchworkError(f"cannot listen on {host}, port {number}: {error.strerror}; give another --host or --port") from error
    if port is not None:
        raise ScratchworkError(f"port {port} is in use by another program; give another --port, or none for the first that is free")
    raise ScratchworkError(f"the ports {FIRST_PORT} to {FIRST_PORT + PORTS - 1} are all in use; give a free one with --port")


def opened(address: str) -> bool:
    """Whether a browser could be asked to show it."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    threading.Thread(target=browser.open, args=(address,), daemon=True).start()
    return True


def serve(state: "ReviewState", listener: socket.socket, host: str, port: int) -> None:
    """Until Ctrl-C or a polite kill."""
    import uvicorn

    from reports.review_app import make_app
    from reports.review_guard import Guard

    app = Guard(make_app(state), state.keys, port, host, (socket.gethostname().lower(),))
    config = uvicorn.Config(app, http="h11", ws="none", lifespan="off", access_log=False, log_level="warning", server_header=False, date_header=False,
                            timeout_graceful_shutdown=LINGER_S)
    uvicorn.Server(config).run(sockets=[listener])


@dataclass(frozen=True)
class VoteCount:
    """``reviewers``: pictures judged by each; ``judged``: how many pictures by how many people; ``waiting``: paths that need a third vote with what
    was said; ``settled``: rows written now; ``agreed``, ``majority``, ``set_aside``: pictures judged by several."""

    reviewers: dict[str, int]
    judged: dict[int, int]
    pairs: list[PairAgreement]
    groups: list[GroupAgreement]
    agreed: int
    majority: int
    waiting: dict[str, dict[str, str]]
    unsettled: int
    settled: int


def count_votes(workspace: Workspace, settle: bool = False, set_ties_aside: bool = True) -> VoteCount:
    """What the journal's reviewers agree on; with ``settle`` what the majority says, or that there is none, is appended to it."""
    manifest, file = read_manifest(workspace), workspace.artifacts / "overrides.csv"
    if not file.exists():
        raise ScratchworkError(f"{file} does not exist, nobody has decided anything yet; begin with: python cli.py review")
    label_of, places = dict(zip(map(str, manifest.index), manifest["label"], strict=True)), Places(manifest)
    stacks, lost = standing(read_overrides(file), places)
    if lost:
        workspace.notice(f"{file}: {len(lost):,} rows name no picture of this folder, e.g. {lost[0].path or lost[0].sha256}; they are not counted")
    rows = settlements(stacks, label_of, places.digest_of, set_ties_aside)
    if settle and rows:
        complete_columns(file)
        append_overrides(file, rows)
        stacks, _ = standing(read_overrides(file), places)
    told = tallies(stacks, label_of)
    votes = [one.votes for one in told.values()]
    several = [one for one in told.values() if len(one.votes) > 1]
    return VoteCount(dict(sorted(Counter(name for one in votes for name in one).items())), dict(sorted(Counter(map(len, votes)).items())),
                     pair_agreements(votes), group_agreements(votes), sum(len(set(one.votes.values())) == 1 for one in several),
                     sum(bool(one.verdict) and len(set(one.votes.values())) > 1 for one in several),
                     {path: one.votes for path, one in told.items() if one.open}, len(rows) * (not settle), len(rows) * settle)


def _decisions(workspace: Workspace) -> pd.DataFrame | None:
    return read_decisions(workspace) if (workspace.artifacts / "decisions.csv").exists() else None


def _table(file: Path) -> pd.DataFrame | None:
    """None where there is no such file. Raises `ScratchworkError` for one that is damaged."""
    if not file.exists():
        return None
    try:
        return pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise ScratchworkError(f"{file} cannot be read ({error}); delete it and run python cli.py clean or train again") from error
