"""The jobs of docs/scale.md, up to the machines that there are not: two laptops, Slurm, Kubernetes' PyTorchJob.

What each would start is read by torchrun's own parser and by convscope's.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
import yaml
from torch.distributed.run import parse_args

from convscope.cli import application

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "scale.md", DOCS / "zh" / "scale.md"]
ENGLISH = PAGES[0].read_text(encoding="utf-8")
SBATCH = {
    "--nodes",
    "--ntasks-per-node",
    "--cpus-per-task",
}  # options of sbatch that are used, as its manual spells them


def block(text, language):
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.S | re.M)
    return found


def choices_of(command):
    """What ``convscope train …`` is told, by convscope's own parser."""
    verb, *words = command
    train = typer.main.get_command(application()).commands[verb]
    with train.make_context(verb, words) as context:
        return context.params


def started_by(torchrun):
    """(what torchrun is told, what convscope is told)."""
    given = parse_args(torchrun)
    assert (given.module, given.training_script) == (True, "convscope")
    return given, choices_of(given.training_script_args)


@pytest.mark.parametrize("page", PAGES, ids=["english", "chinese"])
def test_on_laptops_each_command_can_be_read(page):
    commands = [
        shlex.split(line)
        for line in page.read_text(encoding="utf-8").splitlines()
        if "    torchrun " in line and "convscope" in line
    ]
    assert [command[0] for command in commands] == ["torchrun"] * 2  # on one machine, and on the first of two
    (_, one), (given, two) = (started_by(command[1:]) for command in commands)
    assert one["data"] == two["data"] == ["photos"]
    assert (given.nnodes, given.node_rank, given.master_addr, given.master_port) == ("2", 0, "192.168.1.5", 29500)


@pytest.fixture
def slurm(tmp_path):
    """The job's file, and what it starts with ``scontrol`` and ``srun`` of four machines that are not there."""
    job, programs = tmp_path / "job.sh", tmp_path / "bin"
    programs.mkdir()
    job.write_text(block(ENGLISH, "sh"))
    (programs / "scontrol").write_text('#!/bin/sh\ntest "$*" = "show hostnames n[1-4]" && printf "n%s\\n" 1 2 3 4\n')
    (programs / "srun").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o700)
    nodes = {"SLURM_JOB_NODELIST": "n[1-4]", "SLURM_NNODES": "4", "SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "16"}

    def started():
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-u", str(job)], env=os.environ | nodes | {"PATH": path}, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    return job, started


def test_the_job_for_slurm_begins_as_sbatch_wants_it(slurm):
    job, _ = slurm
    first, *lines = job.read_text().splitlines()
    assert first == "#!/bin/bash"
    options = [line for line in lines if line.startswith("#SBATCH ")]
    assert lines[: len(options)] == options  # those after the first command are passed over
    words = [word for line in options for word in line.split()[1:]]
    assert {word.partition("=")[0] for word in words} == SBATCH


def test_the_job_for_slurm_starts_one_torchrun_on_every_node(slurm):
    _, started = slurm
    option, cores, *torchrun = started()
    assert (option, cores, torchrun[0]) == ("--cpus-per-task", "16", "torchrun")
    given, choices = started_by(torchrun[1:])
    assert (given.nnodes, given.nproc_per_node, given.max_restarts) == ("4", "1", 0)
    assert (given.rdzv_backend, given.rdzv_endpoint, given.rdzv_id) == ("c10d", "n1:29500", "7")
    assert (choices["data"], choices["net"], choices["threads"]) == (["/shared/photos"], "resnet20", 16)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
def test_the_job_for_slurm_has_no_finding_of_shellcheck(slurm):
    job, _ = slurm
    done = subprocess.run(["shellcheck", "--format", "json", str(job)], capture_output=True, text=True)
    assert json.loads(done.stdout) == []


POD = {"containers", "volumes"}
CONTAINER = {"name", "image", "command", "volumeMounts"}


def refusals(job):
    """What the training operator refuses a PyTorchJob for, by its documentation and its validation."""
    spec = job.get("spec", {}).get("pytorchReplicaSpecs", {})
    told = [f"{key}?" for key in {*job} ^ {"apiVersion", "kind", "metadata", "spec"}]
    told += [] if (job.get("apiVersion"), job.get("kind")) == ("kubeflow.org/v1", "PyTorchJob") else ["kind"]
    told += [] if set(spec) <= {"Master", "Worker"} and "Master" in spec else ["a master and workers"]
    told += [] if spec.get("Master", {}).get("replicas") == 1 else ["one master"]
    for name, replica in spec.items():
        told += [f"{name}: {key}" for key in set(replica) - {"replicas", "restartPolicy", "template"}]
        if replica.get("restartPolicy") not in ("Always", "OnFailure", "Never", "ExitCode"):
            told.append(f"{name}: restartPolicy")
        pod = replica["template"]["spec"]
        told += [f"{name}: {key}" for key in set(pod) - POD]
        told += [] if "pytorch" in [one.get("name") for one in pod["containers"]] else [f"{name}: no 'pytorch'"]
        volumes = {one["name"] for one in pod["volumes"]}
        for container in pod["containers"]:
            told += [f"{name}: {key}" for key in set(container) ^ CONTAINER]
            told += [f"{name}: {one}" for one in container["volumeMounts"] if one["name"] not in volumes]
    return told


def test_the_job_for_kubernetes_has_the_fields_of_a_pytorchjob():
    job = yaml.safe_load(block(ENGLISH, "yaml"))
    assert refusals(job) == []
    spec = job["spec"]["pytorchReplicaSpecs"]
    assert {name: replica["replicas"] for name, replica in spec.items()} == {"Master": 1, "Worker": 3}
    for replica in spec.values():
        (container,) = replica["template"]["spec"]["containers"]
        python, module, *command = container["command"]
        assert (python, module, command[0]) == ("python", "-m", "convscope")
        choices = choices_of(command[1:])
        assert choices["data"] == ["/data/photos"]
        assert str(choices["out"]) == "/data/runs"
        assert container["volumeMounts"] == [{"name": "data", "mountPath": "/data"}]


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("name: pytorch", "name: torch", "Worker: no 'pytorch'"),
        ("Master:", "Leader:", "a master and workers"),
        ("replicas: 1", "replicas: 2", "one master"),
        ("restartPolicy: Never", "restartPolicy: Sometimes", "Master: restartPolicy"),
        ("restartPolicy: Never", "restart: Never", "Master: restart"),
        ("[{name: data, mountPath", "[{name: other, mountPath", "Master: {'name': 'other', 'mountPath': '/data'}"),
    ],
)
def test_a_job_that_the_operator_would_refuse_is_found(right, wrong, told):
    text = block(ENGLISH, "yaml")
    assert right in text
    assert told in refusals(yaml.safe_load(text.replace(right, wrong)))
