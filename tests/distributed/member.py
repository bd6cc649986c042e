"""One process of a team: joins the others and does the tasks of a JSON file with them, one after the other."""

import json
import sys
import traceback
from pathlib import Path

from torch import distributed as dist

from convscope import job
from convscope.distributed.copied import copied
from convscope.distributed.exchange import LONG, Nccl, NcclPending
from convscope.distributed.join import joined
from convscope.errors import ConvscopeError
from convscope.runs import folder as runs

from ..faults.attempt import dataset, hopeless, recipe


class Silent:
    """A collective of gloo's that hangs where another process has died, as one of NCCL's does."""

    def __init__(self, work):
        self.work, self.wait = work, work.wait

    def is_completed(self):
        return self.work.is_completed() and self.work.is_success()


class StandIn(Nccl):
    """What carries tensors of GPUs, over gloo and in main memory."""

    def ready(self, own):
        assert own.device.type == "cpu"

    def begin(self, rows, own):
        return NcclPending(Silent(super().begin(rows, own)._work))


def main(path):
    job.save_figure = lambda *_: None  # takes longer than these trainings
    team_tasks = json.loads(Path(path).read_text())
    with joined() as team:
        gloo, gpus = team.line.exchanges["cpu"], StandIn(dist.new_group(backend="gloo", timeout=LONG))
        for task in team_tasks:
            team.line.exchanges["cpu"] = gpus if task.get("gpus") else gloo
            mine = task | task.get("ranks", {}).get(str(team.rank), {})
            try:
                do(team, mine)
            except ConvscopeError as error:
                Path(f"{mine['out']}.{team.rank}.error").write_text(str(error))
                if mine.get("last"):
                    raise


def do(team, task):
    out, data = Path(task["out"]), hopeless() if task.get("hopeless") else dataset()
    if task.get("alone"):
        if team.rank == 0:
            list(job.resume(next(runs.every(out)), data, task["resume"]))
        return
    if "resume" in task:
        with copied(team, lambda: next(runs.every(out)).path, runs.FILES) as path:
            events = list(job.resume(runs.RunFolder(path), dataset(), task["resume"], team=team))
    else:
        events = list(job.start(recipe(task["choices"]), data, out, team=team))
    started = events[0]
    Path(f"{out}.{team.rank}.notes").write_text(json.dumps([started.engine, started.notes]))


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except ConvscopeError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except BaseException:
        traceback.print_exc()
        sys.exit(99)
