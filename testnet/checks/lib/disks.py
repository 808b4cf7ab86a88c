"""File systems of a few MB in memory, mounted where nobody else sees them.

They live in a mount namespace of the check, so whatever ends the check unmounts them.
"""
import os
import pathlib
import shutil
import subprocess
import sys

INSIDE = "CYBERD_CHECK_MOUNTS"


def private_mounts():
    """Runs the program again where it may mount; why that cannot be, or nothing once it may."""
    if os.environ.get(INSIDE):
        return None
    words = ["unshare", "--mount"] if os.geteuid() == 0 else \
        ["unshare", "--user", "--map-root-user", "--mount"]
    if not shutil.which("unshare"):
        return "the program unshare (util-linux) is missing"
    try_it = [*words, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"]
    tried = subprocess.run(try_it, capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"{' '.join(words)} may not mount here: {tried.stderr.strip()}"
    os.execvpe(words[0], [*words, sys.executable, *sys.argv], os.environ | {INSIDE: "1"})


class Disk:
    """A file system at a path; what was there is copied into it."""

    def __init__(self, path, size):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        kept = self.path.with_name(f"{self.path.name}.kept")
        shutil.copytree(self.path, kept)
        self.mount(f"size={size}")
        shutil.copytree(kept, self.path, dirs_exist_ok=True)
        shutil.rmtree(kept)
        self.fills = []

    def mount(self, options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.path)]
        subprocess.run(command, check=True)

    def resize(self, size):
        self.mount(f"remount,size={size}")

    def free(self):
        about = os.statvfs(self.path)
        return about.f_bavail * about.f_frsize

    def fill(self, left):
        """Takes all but so many bytes, from whoever writes at the same time too."""
        fill = self.path / f"fill{len(self.fills)}"
        self.fills.append(fill)
        file = os.open(fill, os.O_CREAT | os.O_WRONLY)
        taken = 0
        try:
            while (more := self.free() - left) > 0:
                os.posix_fallocate(file, taken, more)
                taken += more
        except OSError:
            pass
        finally:
            os.close(file)

    def empty(self):
        """Gives back what was taken."""
        for fill in self.fills:
            fill.unlink()
        self.fills = []

    def close(self):
        subprocess.run(["umount", "--lazy", str(self.path)], check=False)
