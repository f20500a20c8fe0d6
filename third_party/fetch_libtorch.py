#!/usr/bin/env python3
"""Makes a libtorch folder out of PyTorch's wheels: fetch_libtorch.py FOLDER [--cuda]

FOLDER gets torch/{lib,include} and nvidia/*/lib side by side, as in site-packages, because the
libraries find each other by that layout. It appears whole or not at all: everything happens in a folder
beside it, which is renamed at the end. Only python3 and pip are needed.
"""
import fcntl, os, platform, re, shutil, signal, subprocess, sys, tempfile, zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CPU = (r"torch/include/|torch/lib/lib(c10|torch_cpu|gomp)\b"
       r"|nvidia/.*/lib/lib(cudart|cupti)\.so|[^/]*\.dist-info/.*(licen|notice)")
CUDA = CPU + r"|torch/lib/lib(c10_cuda|torch_cuda\w*|torch_nvshmem|caffe2_nvrtc)\b|nvidia/.*(/lib/.*\.so|/include/)"


def main():
    os.dup2(2, 1)  # all that is said here is for the person at the terminal, whatever the build tool does with its output
    cuda = "--cuda" in sys.argv[2:]
    folder = Path(sys.argv[1]).absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    for s in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, lambda n, _: sys.exit(128 + n))  # so that the clean-up below runs
    with open(folder.parent / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("libtorch: waiting for another fetch into", folder.parent, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        for stale in folder.parent.glob(".partial-*"):  # of a run that was killed: the lock says nobody works there
            shutil.rmtree(stale, ignore_errors=True)
        if folder.exists():
            return
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder.parent) as tmp:
            wheels, tree = Path(tmp, "wheels"), Path(tmp, "tree")
            download(wheels, tmp, cuda, lock)
            for wheel in sorted(wheels.iterdir()):
                unpack(wheel, tree, re.compile(CUDA if cuda else CPU, re.IGNORECASE))
            os.sync()  # or a power cut could leave a whole folder of empty files
            tree.rename(folder)
    print("libtorch: now in", folder, flush=True)


def download(wheels, tmp, cuda, lock):
    """The locked wheels; pip compares every file with its hash."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode:
        sys.exit(f"libtorch: {sys.executable} has no pip, which fetches libtorch: install it (Debian: apt install python3-pip)")
    size = "2.5 GB" if cuda else "550 MB"
    print(f"libtorch: fetching some {size}{' with CUDA' if cuda else ''}, once for all projects of this user", flush=True)
    # All CPythons' wheels hold the same libtorch; a fixed one makes the result independent of the python at hand.
    command = [sys.executable, "-m", "pip", "download", "--require-hashes", "--no-deps", "--only-binary=:all:",
               "--python-version", "3.11", "--implementation", "cp", "--disable-pip-version-check",
               "--no-cache-dir",  # pip's cache would keep the wheels as well
               "--dest", str(wheels), "--requirement", str(HERE / "libtorch.lock")]
    if cuda:
        command += ["--requirement", str(HERE / "libtorch-cuda.lock")]
    for name in ["manylinux2014", *(f"manylinux_2_{minor}" for minor in range(28, 4, -1))]:  # pip wants each spelt out
        command += ["--platform", f"{name}_{platform.machine()}"]
    # The lock is handed on: should this process be killed, its pip still counts as a fetch under way.
    if subprocess.run(command, env={**os.environ, "TMPDIR": tmp}, pass_fds=[lock.fileno()]).returncode:
        sys.exit("libtorch: pip could not fetch it (its message is above); nothing was left behind, and `make` tries again")


def unpack(wheel, tree, wanted):
    print("libtorch: unpacking", wheel.name, flush=True)
    with zipfile.ZipFile(wheel) as z:
        for name in z.namelist():
            if wanted.match(name):
                z.extract(name, tree)
    wheel.unlink()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except (OSError, zipfile.BadZipFile) as e:
        sys.exit(f"libtorch: {e}")
