"""Dockerfile and compose.yaml: no engine runs here, so they are held against each other, against the example
configuration and against what was built."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.processes import ROOT, executable, run

PROGRAMS = ["coordinator", "worker", "gateway", "clusterctl", "clusterbench"]
NODES = ["coordinator", "worker-1", "worker-2", "worker-3", "gateway"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "cluster" / "compose.yaml").read_text())
EXAMPLE = yaml.safe_load((ROOT / "cluster" / "cluster.yaml").read_text())
EMBEDDED = yaml.safe_load(COMPOSE["configs"]["cluster"]["content"])


def size(text: str) -> int:
    """Bytes of `16g` (Docker) or `12GiB` (Colony)."""
    number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()
    return int(number) * {"m": 2**20, "g": 2**30, "MiB": 2**20, "GiB": 2**30}[unit]


def mounts(service: dict) -> dict[str, tuple[str, str]]:
    """Target of each volume: source and mode."""
    found = {}
    for volume in service.get("volumes", []):
        source, target, *mode = re.sub(r"\$\{[^}]*\}", "MODEL", volume).split(":")
        found[target] = (source, mode[0] if mode else "rw")
    return found


def test_dockerfile_is_clean():
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("no hadolint for this kind of machine")
    result = run([str(hadolint), str(ROOT / "Dockerfile")])
    assert result.returncode == 0 and not result.stdout, result.stdout


def test_image_has_every_program():
    products = re.findall(r'\.executable\(name: "(\w+)"', (ROOT / "Package.swift").read_text())
    assert sorted(products) == sorted(PROGRAMS)
    for line in re.findall(r"for product in ([\w ]+);", DOCKERFILE):
        assert sorted(line.split()) == sorted(PROGRAMS)


def test_image_has_the_packages_that_the_build_needs():
    setup = (ROOT / "cluster" / "lib" / "setup.sh").read_text()
    needed = set(re.search(r"build_packages=\(([^)]*)\)", setup).group(1).split()) - {"git"}
    stages = DOCKERFILE.split("\nFROM ")
    assert needed <= set(stages[1].split())
    providers = set(re.findall(r'\.apt\(\["([^"]+)"\]\)', (ROOT / "Package.swift").read_text()))
    assert providers <= needed


def test_image_has_the_libraries_that_the_programs_need():
    libraries = {"libssl.so.3": "libssl3", "libcrypto.so.3": "libssl3", "libnghttp2.so.14": "libnghttp2-14"}
    libraries |= {"libpcre2-8.so.0": "libpcre2-8-0", "libstdc++.so.6": "libstdc++6", "libedit.so.2": "libedit2"}
    # What comes with the package of a library that needs it.
    libraries |= {name: "libedit2" for name in ("libtinfo.so.6", "libbsd.so.0", "libmd.so.0")}
    system = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "linux-vdso.so.1", "libdl.so.2", "libpthread.so.0"}
    # The Swift runtime, which the image's programs have inside.
    linked_statically = ("ld-linux", "libswift", "libFoundation", "lib_Foundation", "libdispatch", "libBlocksRuntime")
    installed = set(DOCKERFILE.split("\nFROM ")[2].split())
    for program in PROGRAMS:
        for line in run(["ldd", executable(program)]).stdout.splitlines():
            name = Path(line.split()[0]).name
            if name in system or name.startswith(linked_statically):
                continue
            assert libraries.get(name) in installed, f"{program} needs {name}"


def test_image_reads_only_what_is_sent():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    for source in re.findall(r"^COPY (?!--from)(\S+)", DOCKERFILE, re.MULTILINE):
        assert f"!{source}" in ignored, f"COPY {source}: not in .dockerignore"
        assert (ROOT / source).exists()


def test_image_runs_without_privileges_and_is_watched():
    final = DOCKERFILE.split("\nFROM ")[2]
    assert re.search(r"^USER \d+$", final, re.MULTILINE) and "HEALTHCHECK" in final
    port = EXAMPLE["gateway"]["address"].rsplit(":", 1)[1]
    assert f"http://127.0.0.1:{port}/live" in final


def test_ports_agree():
    exposed = set(re.search(r"^EXPOSE (.*)$", DOCKERFILE, re.MULTILINE).group(1).split())
    for configuration in (EXAMPLE, EMBEDDED):
        addresses = [configuration["coordinator"]["address"], configuration["gateway"]["address"]]
        addresses += [worker["address"] for worker in configuration["workers"]]
        assert {address.rsplit(":", 1)[1] for address in addresses} == exposed
    gateway_port = EMBEDDED["gateway"]["address"].rsplit(":", 1)[1]
    assert COMPOSE["services"]["gateway"]["ports"] == [f"127.0.0.1:{gateway_port}:{gateway_port}"]
    assert f":{gateway_port}/health" in " ".join(COMPOSE["services"]["gateway"]["healthcheck"]["test"])


def test_every_node_has_a_service():
    assert sorted(COMPOSE["services"]) == sorted([*NODES, "certs"])
    assert [worker["node"] for worker in EMBEDDED["workers"]] == NODES[1:4]
    for name in NODES:
        service = COMPOSE["services"][name]
        assert service["image"] == COMPOSE["services"]["certs"]["image"]
        program, option, path = service["command"]
        assert program == name.split("-")[0] and option == "--config"
        assert {"source": "cluster", "target": path} in service["configs"]
        assert service["depends_on"]["certs"]["condition"] == "service_completed_successfully"
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["restart"]
        assert mounts(service)[EMBEDDED["certificates"]] == (name, "ro"), "sees its own certificate only"
        address = EMBEDDED[program]["address"] if program in EMBEDDED else None
        if name.startswith("worker"):
            address = next(worker["address"] for worker in EMBEDDED["workers"] if worker["node"] == name)
        if program != "gateway":
            assert address.startswith(f"{name}:"), "a service is reached by its name"
            assert mounts(service)[EMBEDDED["model"]] == ("MODEL", "ro")


def test_memory_fits_into_the_limits():
    for worker in EMBEDDED["workers"]:
        limit = size(COMPOSE["services"][worker["node"]]["mem_limit"])
        # The share of the weights, 200 MB for the process, and room for activations.
        assert size(worker["memory"]) + 2**30 <= limit
    coordinator = COMPOSE["services"]["coordinator"]["mem_limit"]
    assert size(EMBEDDED["coordinator"]["kv_cache_bytes"]) + 2**30 <= size(coordinator)
    assert "mem_limit" in COMPOSE["services"]["gateway"]


def test_certificates_are_made_for_every_node():
    certs = COMPOSE["services"]["certs"]
    script = certs["command"][-1]
    assert re.search(r"for node in ([\w\- ]+);", script).group(1).split() == NODES
    assert mounts(certs) == {"/authority": ("authority", "rw"), **{f"/nodes/{node}": (node, "rw") for node in NODES}}
    assert set(COMPOSE["volumes"]) == {"authority", *NODES}
    for verb in ("init", "issue"):
        assert f"clusterctl certs {verb} " in script
    checked = subprocess.run(["sh", "-n"], input=script.replace("$$", "$"), text=True, check=False)
    assert checked.returncode == 0


def test_script_for_certificates_works(tmp_path):
    """The very script of the `certs` service, on directories of this test."""
    script = COMPOSE["services"]["certs"]["command"][-1].replace("$$", "$")
    script = script.replace("/authority", f"{tmp_path}/authority").replace("/nodes/", f"{tmp_path}/nodes/")
    script = re.sub(r"\n *chown [^\n]*", "", script).replace("clusterctl", executable("clusterctl"))
    for _ in range(2):
        result = run(["sh", "-ec", script])
        assert result.returncode == 0, result.stderr
    for node in NODES:
        text = run([executable("clusterctl"), "certs", "show", f"{tmp_path}/nodes/{node}"]).stdout
        assert node in text and node.split("-")[0] in text


def test_configuration_has_only_known_keys(tmp_path):
    """Every key is one that cluster.yaml explains, and the programs take the file as far as paths that are not here."""
    for section, value in EMBEDDED.items():
        assert section in EXAMPLE
        if isinstance(value, dict):
            assert set(value) <= set(EXAMPLE[section]), section
    explained = set(EXAMPLE["workers"][0])
    assert all(set(worker) <= explained for worker in EMBEDDED["workers"])
    path = tmp_path / "cluster.yaml"
    path.write_text(COMPOSE["configs"]["cluster"]["content"])
    for program in ("coordinator", "worker", "gateway"):
        result = run([executable(program), "--config", str(path)], 20)
        assert result.returncode == 1 and EMBEDDED["certificates"] in result.stderr, result.stderr


def test_compose_accepts_its_file():
    if not shutil.which("docker") or run(["docker", "compose", "version"]).returncode != 0:
        pytest.skip("no docker compose")
    environment = {"MODEL": "/srv/model", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    command = ["docker", "compose", "-f", str(ROOT / "cluster" / "compose.yaml"), "config", "--quiet"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=60)
    assert result.returncode == 0, result.stderr
