"""What a command of the bench does: takes its scenarios one after the other, in rounds, and judges them."""
import argparse
import json
import pathlib
import resource
import signal
import sys
import tempfile

import machine
import report
from programs import BIN, Invalid, nginx_program
from quantity import summary
from sizes import FULL, SHORT
from stage import Stage


def arguments(prog, description, scenarios):
    names = [s.name for s in scenarios(FULL)]
    p = argparse.ArgumentParser(prog=prog, description=description, epilog="scenarios: " + ", ".join(names))
    p.add_argument("--rounds", type=int, metavar="N", help="of each scenario (default 5)")
    p.add_argument("--only", nargs="+", metavar="NAME", choices=names, help="these scenarios alone")
    p.add_argument("--short", action="store_true", help="tiny counts, one round: shows that everything runs, its numbers mean nothing")
    p.add_argument("--json", metavar="FILE", help="write the results there, with the values of every round")
    p.add_argument("--markdown", metavar="FILE", help="write the rows of the table of results in the documents there")
    given = p.parse_args()
    given.rounds = given.rounds or (1 if given.short else 5)
    return given


def progress(text):
    print(text, file=sys.stderr, flush=True)


def measured(scenario, directory, size, rounds):
    rounds = min(rounds, scenario.most_rounds)
    with Stage(directory, size, scenario.sections) as stage:
        scenario.prepare(stage)
        seen = []
        for n in range(rounds):
            progress(f"{scenario.name}: round {n + 1} of {rounds}")
            seen.append(scenario.round(stage, turned=n % 2 == 1))
    rows = [summary(q, seen) for q in scenario.quantities]
    return {"name": scenario.name, "title": scenario.title, "rows": rows, "rounds": seen}


def main(prog, description, scenarios):
    given = arguments(prog, description, scenarios)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    size = SHORT if given.short else FULL
    context = machine.context(BIN / "mainstayd", nginx_program())
    print(machine.line(context))
    if context["load_before"] > 0.5:
        progress("note: this machine was busy before: expect a wider spread")
    out = {"context": context, "short": given.short, "valid": False, "scenarios": []}
    before = machine.stolen()
    try:
        with tempfile.TemporaryDirectory(prefix="mainstay-bench-") as directory:
            directory = pathlib.Path(directory)
            directory.chmod(0o711)  # nginx's worker gives up root
            for scenario in scenarios(size):
                if given.only and scenario.name not in given.only:
                    continue
                out["scenarios"].append(measured(scenario, directory, size, given.rounds))
                print("\n".join(["", *report.table(out["scenarios"][-1])]), flush=True)
        out["valid"] = True
    except Invalid as e:
        out["invalid"] = str(e)
    after = machine.stolen()
    context["stolen_percent"] = 100 * (after[0] - before[0]) / max(1, after[1] - before[1])
    if given.json:
        pathlib.Path(given.json).write_text(json.dumps(out, indent=1) + "\n")
    if not out["valid"]:
        sys.exit(f"INVALID, these numbers mean nothing: {out['invalid']}")
    if given.markdown:
        pathlib.Path(given.markdown).write_text("\n".join(report.markdown(out["scenarios"])) + "\n")
    if given.short:
        print("\nshort form: every scenario ran, every answer was complete")
        return
    print("\n".join(["", *report.bars(out["scenarios"])]))
    print(f"\nvalid: every answer was complete; the host took {context['stolen_percent']:.1f}% of the machine's time meanwhile")
