"""Every command of the README runs as it stands there."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", README, flags=re.DOTALL)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_every_command_of_the_readme_succeeds_in_order(tmp_path: Path) -> None:
    """One shell runs all blocks from top to bottom, as a reader would, on a port of its own."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    script = [f'export PATH="{Path(sys.executable).parent}:$PATH"']
    for language, text in BLOCKS:
        if language == "python":
            script.append(f"python <<'PYTHON'\n{text}\nPYTHON")
        elif ".venv" not in text:  # the block that puts .venv on the path, done above
            script.append(text)
    # Jobs that a block leaves in the background, such as the server, end with the shell.
    prologue = ["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT"]
    source = "\n".join([*prologue, *script]).replace("50051", str(free_port()))
    finished = subprocess.run(
        ["bash", "-c", source],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    output = finished.stdout
    assert finished.returncode == 0, output
    assert "proven optimal" in output
    assert "Traceback" not in output


def test_every_make_target_the_readme_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"^make ([a-z-]+)", README, flags=re.MULTILINE))
    assert named == {"demo", "test"}
    for target in named:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_links_and_pictures_of_the_readme_exist() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_commands_in_running_text_are_in_a_block_or_known() -> None:
    """Inline `binwright ...` commands name real subcommands."""
    for command in re.findall(r"`binwright ([a-z]+)", README):
        assert command in {"solve", "verify", "serve", "extender", "catalog", "benchmark"}
