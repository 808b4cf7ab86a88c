"""The container image in checks: built, its layout checked and unpacked, programs run in it."""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from operation.chain import ROOT, binary

# All that may be in the image besides libraries of a development build.
FILES = {
    "etc/group", "etc/nsswitch.conf", "etc/passwd", "etc/ssl/certs/ca-certificates.crt",
    "usr/local/bin/cometbft", "usr/local/bin/cyberd",
}


def cometbft():
    """The CometBFT that the tests use."""
    places = (os.environ.get("CYBERD_COMETBFT"), ROOT / ".tools/bin/cometbft",
              shutil.which("cometbft"))
    found = next((Path(place) for place in places if place and Path(place).exists()), None)
    return found or sys.exit("CometBFT is missing: `cyberd dev` installs it, or CYBERD_COMETBFT")


def build(out, full, archive=None):
    """Writes the image: static release builds, or the programs of the tests with libraries."""
    words = [ROOT / "config/container/build", "--out", out]
    if archive:
        words += ["--archive", archive]
    if not full:
        words += ["--cyberd", binary(), "--cometbft", cometbft(), "--with-libraries"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def blob(layout, entry):
    """A blob's bytes, of the size and hash that its entry names."""
    data = (layout / "blobs/sha256" / entry["digest"].removeprefix("sha256:")).read_bytes()
    assert len(data) == entry["size"], entry
    assert hashlib.sha256(data).hexdigest() == entry["digest"].removeprefix("sha256:"), entry
    return data


def check_archive(layout, path):
    """That the layout as one file is that layout, and lists what `docker load` looks for."""
    with tarfile.open(path) as tar:
        names = {member.name for member in tar if member.isfile()}
        listed, = json.load(tar.extractfile("manifest.json"))
    files = {str(file.relative_to(layout)) for file in layout.rglob("*") if file.is_file()}
    assert names == files | {"manifest.json"}, names ^ files
    config = json.loads((layout / listed["Config"]).read_text())
    assert len(config["rootfs"]["diff_ids"]) == len(listed["Layers"]), listed
    assert {listed["Config"], *listed["Layers"]} < files and listed["RepoTags"], listed


def unpack(layout, rootfs):
    """Checks the layout and unpacks its layers; the image's configuration and files."""
    assert json.loads((layout / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    entry, = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = json.loads(blob(layout, entry))
    config = json.loads(blob(layout, manifest["config"]))
    files = set()
    for layer, whole in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        data = gzip.decompress(blob(layout, layer))
        digest = hashlib.sha256(data).hexdigest()
        assert f"sha256:{digest}" == whole, "a layer is not what the configuration says"
        with tempfile.TemporaryFile() as unpacked:
            unpacked.write(data)
            unpacked.seek(0)
            with tarfile.open(fileobj=unpacked) as tar:
                files |= {member.name for member in tar if member.isfile()}
                tar.extractall(rootfs)
    extra = {name for name in files - FILES if ".so" not in name}
    assert FILES <= files and not extra, f"other files in the image: {extra or FILES - files}"
    # What every engine puts into a container.
    for name in ("proc", "dev"):
        (rootfs / name).mkdir()
    (rootfs / "etc/hosts").write_text("127.0.0.1 localhost\n")
    return config["config"], files


class Runc:
    """Runs programs of an unpacked image as an engine does: namespaces of their own, no
    capabilities, a root that cannot be written."""

    def __init__(self, folder, rootfs, image):
        self.folder, self.rootfs, self.image = folder, rootfs, image
        self.number = 0

    def command(self, arguments, mounts, user, environment=(), network=None):
        """The command that runs the image's program. `mounts` are pairs of source and destination;
        without `network`, the path of a network namespace, it has the machine's."""
        self.number += 1
        bundle = self.folder / f"bundle{self.number}"
        bundle.mkdir()
        kinds = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]
        if network:
            kinds.append({"type": "network", "path": network})
        bind = [{"destination": to, "type": "bind", "source": str(source),
                 "options": ["rbind", "rw", "nosuid", "nodev"]} for source, to in mounts]
        spec = {
            "ociVersion": "1.0.2",
            "process": {
                "args": self.image["Entrypoint"] + arguments,
                "env": [*self.image["Env"], *environment],
                "cwd": self.image["WorkingDir"],
                "user": {"uid": user, "gid": user}, "noNewPrivileges": True,
                "capabilities": {name: [] for name in ("bounding", "effective", "permitted")}},
            "root": {"path": str(self.rootfs), "readonly": True},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                 "options": ["nosuid", "mode=755", "size=65536k"]},
                {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]},
                *bind],
            "linux": {"namespaces": kinds},
        }
        (bundle / "config.json").write_text(json.dumps(spec))
        return ["runc", "--root", str(self.folder / "runc"), "run", "--bundle", str(bundle),
                f"cyberd-check-{os.getpid()}-{self.number}"]

    def end(self, running):
        """Ends one whatever it takes: runc killed leaves its container behind."""
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            subprocess.run(["runc", "--root", self.folder / "runc", "delete", "--force",
                            running.args[-1]], check=False)
            running.kill()
