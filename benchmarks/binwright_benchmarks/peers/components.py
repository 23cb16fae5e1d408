"""The real programs, built from their published Go modules and kept outside the checkout.

Each folder with a ``go.mod`` pins versions; its binaries are kept under a name that changes with the
pins and with our own Go files. A cold build takes many minutes, so it runs as a process of its
own, at the lowest priority and one package at a time: whoever asked may give up waiting, and the next
who asks finds it finished or waits on. An interrupted build goes on where it was, from Go's build cache.

Run ``python -m binwright_benchmarks.peers.components`` to build everything.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
DEFAULT_LIMIT_S = 3600.0
_POLL_S = 1.0
_OFFLINE = "modules-missing"
"""File that says that the last build ended for want of modules."""
_TAIL = 20
"""Last lines of a failed build that are shown."""


UNAVAILABLE = 75
"""Exit code where nothing is wrong but Go is missing or time is up (EX_TEMPFAIL of sysexits.h)."""


class ComponentUnavailableError(Exception):
    """A real program is not there and cannot be had in time; the message says why."""


class BuildError(Exception):
    """A real program does not build; the message ends with the last lines of the build."""


@dataclass(frozen=True, slots=True)
class Binary:
    """One program: the Go package it is built from, and what the linker writes into it."""

    name: str
    package: str
    ldflags: str = ""


@dataclass(frozen=True, slots=True)
class GoModule:
    """A folder with a ``go.mod`` and the programs built from it."""

    name: str
    folder: Path
    binaries: tuple[Binary, ...]


KUBERNETES = "v1.36.3"
_VERSION_VARIABLE = "k8s.io/component-base/version.gitVersion"
_STAMP = f"-X {_VERSION_VARIABLE}={KUBERNETES}"
"""Kubernetes learns its version from the linker; unstamped, clients take it for v0.0.0."""

MODULES: tuple[GoModule, ...] = (
    GoModule(
        "karpenter",
        REPOSITORY / "benchmarks" / "peers" / "karpenter",
        (Binary("karpenter-peer", "."), Binary("karpenter-kwok", "sigs.k8s.io/karpenter/kwok")),
    ),
    GoModule(
        "kubernetes",
        REPOSITORY / "tests" / "interop" / "components" / "kubernetes",
        (
            Binary("etcd", "go.etcd.io/etcd/server/v3"),
            Binary("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", _STAMP),
            Binary("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", _STAMP),
        ),
    ),
    GoModule(
        "kwok",
        REPOSITORY / "tests" / "interop" / "components" / "kwok",
        (Binary("kwok", "sigs.k8s.io/kwok/cmd/kwok"),),
    ),
    GoModule(
        "expander-client",
        REPOSITORY / "tests" / "interop" / "components" / "expander-client",
        (Binary("expander-client", "."),),
    ),
    GoModule(
        "helm",
        REPOSITORY / "tests" / "interop" / "components" / "helm",
        (Binary("helm", "helm.sh/helm/v3/cmd/helm"),),
    ),
)


def component(name: str) -> Path:
    """Path of a program that is built.

    Raises
    ------
    ComponentUnavailableError
        If it is not: how to build it.
    """
    module = _module_of(name)
    path = _folder(module) / name
    if not path.is_file():
        raise ComponentUnavailableError(f"{name} is not built: run `make components` (needs Go)")
    return path


def module_folder(name: str, package: str) -> Path:
    """Where Go keeps the sources of a required module: its CRDs, for example."""
    module = next(module for module in MODULES if module.name == name)
    command = [_go(), "list", "-m", "-f", "{{.Dir}}", package]
    done = subprocess.run(command, cwd=module.folder, env=_environment(), capture_output=True, text=True)
    folder = done.stdout.strip()
    if done.returncode or not folder:
        raise ComponentUnavailableError(f"sources of {package}: {done.stderr.strip() or 'not downloaded'}")
    return Path(folder)


def build(names: Sequence[str], limit_s: float, tell: Callable[[str], None]) -> None:
    """Build whole modules, or wait for the process that does; ``tell`` gets a line of progress now and then.

    Raises
    ------
    ComponentUnavailableError
        If Go is missing, modules cannot be downloaded, or ``limit_s`` seconds pass; in the last case the
        build goes on. What can be had is built first.
    BuildError
        If it fails.
    """
    deadline = time.monotonic() + limit_s
    missing = []
    for module in (module for module in MODULES if module.name in names):
        try:
            _build(module, deadline, tell)
        except ComponentUnavailableError as reason:
            missing.append(str(reason))  # what needs other modules can still be run
    if missing:
        raise ComponentUnavailableError("; ".join(dict.fromkeys(missing)))


def _build(module: GoModule, deadline: float, tell: Callable[[str], None]) -> None:
    """Build one module, or wait for the process that does."""
    folder = _folder(module)
    if all((folder / binary.name).is_file() for binary in module.binaries):
        tell(f"{module.name}: ready in {folder}")
        return
    _go()  # says so before anything is started
    folder.mkdir(parents=True, exist_ok=True)
    if not _is_locked(folder):
        if time.monotonic() >= deadline:
            raise ComponentUnavailableError(f"there is no time left to build {module.name}")
        command = [sys.executable, "-m", "binwright_benchmarks.peers.components", "--work", module.name]
        with (folder / "build.log").open("w") as log:
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
    _follow(module, folder, deadline, tell)


def _follow(module: GoModule, folder: Path, deadline: float, tell: Callable[[str], None]) -> None:
    """Report the process that builds this module until it is done."""
    log = folder / "build.log"
    told = ""
    time.sleep(_POLL_S)  # the process takes the lock
    while True:
        is_running = _is_locked(folder)
        if all((folder / binary.name).is_file() for binary in module.binaries):
            tell(f"{module.name}: ready in {folder}")
            return
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        if not is_running and (folder / _OFFLINE).exists():
            raise ComponentUnavailableError(
                "\n".join([f"modules of {module.name} cannot be downloaded:", *lines[-_TAIL:]])
            )
        if not is_running:
            raise BuildError("\n".join([f"building {module.name} failed:", *lines[-_TAIL:]]))
        current = f"{module.name}: {len(lines)} steps done, at {lines[-1] if lines else 'the start'}"
        if current != told:
            tell(current)
            told = current
        if time.monotonic() >= deadline:
            raise ComponentUnavailableError(
                f"{module.name} is still being built in the background; its log is {log}"
            )
        time.sleep(min(_POLL_S * 10, max(0.0, deadline - time.monotonic()) + _POLL_S))


def _work(module: GoModule) -> int:
    """Build one module, holding its lock; the exit code."""
    folder = _folder(module)
    offline = folder / _OFFLINE
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        packages = [binary.package for binary in module.binaries]
        # Downloads what the programs need and nothing else.
        listing = [_go(), "list", "-deps", "-f", "{{if .Error}}{{.ImportPath}}{{end}}", *packages]
        if subprocess.run(listing, cwd=module.folder, env=_environment()).returncode:
            offline.touch()
            return UNAVAILABLE
        offline.unlink(missing_ok=True)
        for binary in module.binaries:
            if (folder / binary.name).is_file():
                continue
            unfinished = folder / f".{binary.name}"
            command = [_go(), "build", "-v", "-trimpath", "-ldflags", f"-s -w {binary.ldflags}".strip()]
            command += ["-o", str(unfinished), binary.package]
            done = subprocess.run(command, cwd=module.folder, env=_environment(), preexec_fn=_yield_cpu)
            if done.returncode:
                return done.returncode
            unfinished.rename(folder / binary.name)
    return 0


def _yield_cpu() -> None:
    os.nice(19)


def _is_locked(folder: Path) -> bool:
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _folder(module: GoModule) -> Path:
    """Where the binaries of this module are kept, by everything that goes into them."""
    digest = hashlib.sha256()
    for path in sorted(module.folder.rglob("*")):
        if path.suffix in (".go", ".mod", ".sum") and not path.name.endswith("_test.go"):
            name = path.relative_to(module.folder).as_posix()
            digest.update(name.encode() + b"\0" + path.read_bytes())
    for binary in module.binaries:
        digest.update(repr(binary).encode())
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "binwright" / "components" / f"{module.name}-{digest.hexdigest()[:12]}"


def _module_of(binary: str) -> GoModule:
    return next(m for m in MODULES if binary in (b.name for b in m.binaries))


def _go() -> str:
    path = shutil.which("go")
    if path is None:
        raise ComponentUnavailableError("Go is not installed, and the real components are Go programs")
    return path


def _environment() -> dict[str, str]:
    return os.environ | {"GOFLAGS": "-buildvcs=false -p=1"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Build; 0 when everything is ready, 1 if it does not build, `UNAVAILABLE` if it cannot be built here."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    names = [module.name for module in MODULES]
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(names)}; default: all")
    parser.add_argument(
        "--limit", type=float, default=DEFAULT_LIMIT_S, metavar="SECONDS", help="how long to wait"
    )
    parser.add_argument("--work", choices=names, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.work:
        return _work(next(module for module in MODULES if module.name == options.work))
    unknown = sorted(set(options.modules) - set(names))
    if unknown:
        parser.error(f"no module {', '.join(unknown)}; there are {', '.join(names)}")
    try:
        build(options.modules or names, options.limit, _print)
    except ComponentUnavailableError as reason:
        _print(f"not available: {reason}")
        return UNAVAILABLE
    except BuildError as error:
        _print(str(error))
        return 1
    return 0


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
