"""The tables: regret of the best of the first n points, who chose them, what was copied; runs from the points."""

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from statistics import mean

from benchmarks.bayesmark import advisors, data, table
from benchmarks.bayesmark.cache import Evaluations
from benchmarks.bayesmark.runs import Key as RunKey
from benchmarks.bayesmark.runs import Run
from benchmarks.bayesmark.table import Curve, Pair, row
from benchmarks.bayesmark.tasks import TASKS, Task
from benchmarks.warmstart import copied, sources
from benchmarks.warmstart.sources import Record

_N = tuple(range(1, data.INITIAL + 1))
_SHOWN = (5, 10, 25)


def points(
    on_record: Sequence[Record], wanted: Sequence[str], count: int, tasks: Sequence[Task], evaluations: Evaluations
) -> list[str]:
    """The lines of all tables about the points alone; the latest record of each task, source and seed counts."""
    names = {t.name for t in tasks}
    found: dict[str, dict[Pair, Record]] = {s: {} for s in wanted}
    for r in on_record:
        if r.key.source in found and r.key.task in names and r.key.seed in sources.seeds(r.key.source, count):
            # by place, not by number: the i-th draw of one source is compared with the i-th of another
            found[r.key.source][r.key.task, r.key.seed - sources.seeds(r.key.source, count).start] = r
    curves = {s: {p: _curve(r, evaluations) for p, r in records.items()} for s, records in found.items()}
    for source in (s for s in wanted if s in sources.LOCAL):
        filled = any(set(r.filled_by) != {"llm"} for r in found[source].values())
        own = {p: _curve(r, evaluations, only="llm") for p, r in found[source].items() if "llm" in r.filled_by}
        curves[f"{source}, its own points"] = own if filled else {}
    curves = {s: c for s, c in curves.items() if c}
    absent = [s for s in wanted if s not in curves]
    lines = [f"Nothing is on record for {', '.join(absent)}.", ""] if absent else []
    if not curves:
        return lines
    lines += _best_of(curves, tasks)
    lines += _against_random(curves)
    lines += _by_task(curves, tasks)
    asked = {s: records for s, records in found.items() if any(r.asked for r in records.values())}
    lines += _who(found)
    lines += _requests(asked, tasks[0])
    lines += _copied({s: records for s, records in asked.items() if s in sources.LOCAL}, found.get("random", {}))
    used = {(r.key.source, r.key.code.partition(", prompt")[0]) for rs in found.values() for r in rs.values()}
    codes = [f"{source}: {label}" for source, label in sorted(used) if label != "1"]
    return [*lines, f"scikit-learn {version('scikit-learn')}. Points: {'; '.join(codes)}.", ""]


def _curve(record: Record, evaluations: Evaluations, only: str | None = None) -> Curve:
    """Regret of the best of the first n points; with `only`, of those of one origin, the last carried on."""
    task = TASKS[record.key.task]
    chosen = [c for c, by in zip(record.configs, record.filled_by, strict=True) if only in (None, by)]
    scores = [evaluations.score(task, c) for c in chosen]
    return table.curve(task, [*scores, *[None] * (len(_N) - len(scores))], at=_N)


def _best_of(curves: Mapping[str, dict[Pair, Curve]], tasks: Sequence[Task]) -> list[str]:
    lines = [
        f"Regret of the best of the first n points, mean (standard error over the draws), {len(tasks)} tasks.",
        "",
        row(["points from", *map(str, _N), "tasks", "draws a task"]),
        row(["---"] * (len(_N) + 3)),
    ]
    for s, c in sorted(curves.items(), key=lambda item: _at(item[1], _N[-1]).mean):
        draws = Counter(task for task, _ in c)
        spread = sorted(set(draws.values()))
        cells = [table.with_error(_at(c, n)) for n in _N]
        lines.append(row([s, *cells, str(len(draws)), "-".join(map(str, spread))]))
    return [*lines, ""]


def _at(curves: dict[Pair, Curve], n: int) -> table.Estimate:
    return table.estimate({p: c[n] for p, c in curves.items()})


def _against_random(curves: Mapping[str, dict[Pair, Curve]]) -> list[str]:
    random = curves.get("random")
    if random is None:
        return []
    lines = [
        "Regret minus that of random points: mean [95% bootstrap interval, paired, draws within tasks]. A source with "
        "one draw is compared with each random draw; its own spread is not in the interval.",
        "",
        row(["points from", *map(str, _N)]),
        row(["---"] * (len(_N) + 1)),
    ]
    verdict = []
    for s, c in curves.items():
        if s == "random":
            continue
        single = max(i for _, i in c) == 0
        paired = {(t, i): c[t, 0] for t, i in random if (t, 0) in c} if single else c
        shown = [table.difference(paired, random, n) for n in _N]
        lines.append(row([s, *map(table.with_interval, shown)]))
        if s == "textbook":
            end = shown[-1]
            said = "beats random points" if end.high < 0 else "does NOT beat random points"
            verdict = ["", f"**The textbook alone {said} at n = {_N[-1]}**: {table.with_interval(end)}."]
    return [*lines, *verdict, ""]


def _by_task(curves: Mapping[str, dict[Pair, Curve]], tasks: Sequence[Task]) -> list[str]:
    end = _N[-1]
    lines = [f"Mean regret by task at n = {end}.", "", row(["task", *curves]), row(["---"] * (len(curves) + 1))]
    for t in tasks:
        values = [[c[end] for (name, _), c in found.items() if name == t.name] for found in curves.values()]
        lines.append(row([t.name, *(f"{mean(v):.3f}" if v else "-" for v in values)]))
    return [*lines, ""]


def _who(found: Mapping[str, Mapping[Pair, Record]]) -> list[str]:
    origins = ("llm", "textbook", "default", "sobol", "random")
    lines = [
        "Who chose the points.",
        "",
        row(["points from", "points", *origins, "tasks with a model's point missing"]),
    ]
    lines.append(row(["---"] * (len(origins) + 3)))
    for s, records in found.items():
        by = Counter(origin for r in records.values() for origin in r.filled_by)
        short = len({t for (t, _), r in records.items() if r.asked and r.filled_by.count("llm") < data.INITIAL})
        with_model = any(r.asked for r in records.values())
        cells = [str(by.total()), *(str(by[o]) for o in origins), str(short) if with_model else "-"]
        lines.append(row([s, *cells]))
    return [*lines, ""]


def _requests(asked: Mapping[str, Mapping[Pair, Record]], task: Task) -> list[str]:
    if not asked:
        return []
    lines = [
        "What a warmstart of five points asks of a model, mean over tasks.",
        "",
        row(["model", "requests", "repaired", "tokens in", "tokens out", "characters in", "characters out", "s"]),
        row(["---"] * 8),
    ]
    for s, records in asked.items():
        sets = [r.asked for r in records.values()]
        counted = any(a.tokens_in for each in sets for a in each)
        requests = sorted({len(a) for a in sets})
        repaired = sum(any(a.purpose == "repair" for a in each) for each in sets)
        cells = ["-".join(map(str, requests)), f"{repaired} of {len(sets)}"]
        cells += [f"{mean(sum(a.tokens_in for a in e) for e in sets):.0f}" if counted else "not counted"]
        cells += [f"{mean(sum(a.tokens_out for a in e) for e in sets):.0f}" if counted else "not counted"]
        cells += [f"{mean(sum(len(a.prompt) for a in e) for e in sets):.0f}"]
        cells += [f"{mean(sum(len(a.reply) for a in e) for e in sets):.0f}"]
        cells += [f"{mean(sum(a.seconds for a in e) for e in sets):.1f}" if counted else "-"]
        lines.append(row([s, *cells]))
    times, characters = sources.cost(task, advisors.advisor("silent", task, None, 0))
    said = f"A model whose replies hold nothing usable is asked {times} times"
    return [*lines, "", f"{said} ({characters} characters in, {task.name}).", ""]


def _copied(asked: Mapping[str, Mapping[Pair, Record]], random: Mapping[Pair, Record]) -> list[str]:
    if not asked:
        return []
    lines = [
        "What the local model copied: of all values in its replies, the share that is, digit for digit, the "
        "parameter's own bound or default in the prompt; else its textbook guess or interval end in the prompt; else "
        "any other number of the prompt. By chance: the same for the random points under the same prompts.",
        "",
        row(["model", "values", "bound or default", "textbook", "both", "any number", "both, by chance", "distinct"]),
        row(["---"] * 8),
    ]
    for s, records in asked.items():
        requests = [a for r in records.values() for a in r.asked]
        share = copied.shares(requests)
        parts = []
        for (task, _), r in records.items():
            drawn = [c for (t, _), other in random.items() if t == task for c in other.configs]
            if drawn:
                parts.append(copied.chance(r.asked, drawn))
        by_chance = sum(p.own_line * p.values for p in parts) / sum(p.values for p in parts) if parts else None
        said = [[str(sorted(c.items())) for a in r.asked for c in a.proposals] for r in records.values()]
        cells = [f"{share.bound:.0%}", f"{share.textbook:.0%}", f"{share.own_line:.0%}"]
        cells += [f"{share.own_line + share.elsewhere:.0%}", "-" if by_chance is None else f"{by_chance:.0%}"]
        cells += [f"{sum(len(set(x)) for x in said)} of {sum(map(len, said))}"]
        lines.append(row([s, str(share.values), *cells]))
    return [*lines, ""]


# -- runs from the points ----------------------------------------------------------------------------------------------


def runs_from(
    on_record: Mapping[RunKey, Run],
    title: str,
    wanted: Sequence[str],
    seeds: Sequence[int],
    tasks: Sequence[Task],
    trials: int,
) -> list[str]:
    """The lines of the tables about optimizers with and without the points; only seeds that all have are counted."""
    names = {t.name for t in tasks}
    kept = [
        r
        for k, r in on_record.items()
        if k.method in wanted and k.task in names and k.seed in seeds and k.trials == trials
    ]
    found = table.curves(kept)
    complete = [s for s in seeds if names and all((t, s) in found.get(m, {}) for m in wanted for t in names)]
    if not complete:
        return [f"{title}: no seed is complete for {', '.join(wanted)}.", ""]
    curves = {m: {p: c for p, c in found[m].items() if p[1] in complete} for m in wanted}
    at = [t for t in _SHOWN if t <= trials]
    end = at[-1]
    lines = [
        f"{title}: mean regret (standard error) over {len(names)} tasks, seeds {', '.join(map(str, complete))}; the "
        "paired difference to the same optimizer without the points [95% bootstrap interval, seeds within tasks]; on "
        f"how many tasks the points left regret lower, equal, higher at {end}.",
        "",
        row(["optimizer", *(f"at {t}" for t in at), *(f"difference at {t}" for t in at[1:]), "tasks"]),
        row(["---"] * (2 * len(at) + 1)),
    ]
    for m in wanted:
        plain, plus, _ = m.partition("+")
        cells = [table.with_error(_at(curves[m], t)) for t in at]
        if plus:
            gaps = [table.difference(curves[m], curves[plain], t) for t in at[1:]]
            cells += [table.with_interval(g) if len(complete) > 1 else f"{g.mean:+.3f}" for g in gaps]
            cells.append(_won(curves[m], curves[plain], end))
        else:
            cells += ["-"] * len(at)
        lines.append(row([m, *cells]))
    if len(complete) == 1:
        lines += ["", "One seed: there is nothing to take an interval from."]
    elif len(complete) < 5:
        lines += ["", f"{len(complete)} seeds: the intervals are too narrow."]
    codes = sorted({f"{r.key.method} {r.key.code}" for r in kept})
    return [*lines, "", f"{trials} trials a run. Code: {'; '.join(codes)}.", ""]


def _won(a: Mapping[Pair, Curve], b: Mapping[Pair, Curve], trial: int) -> str:
    """Tasks on which the mean regret of `a` is lower than, equal to, higher than that of `b`."""
    tasks = sorted({t for t, _ in a})
    gaps = [mean(a[p][trial] - b[p][trial] for p in a if p[0] == t) for t in tasks]
    return ", ".join(
        str(sum(test)) for test in zip(*((g < -1e-9, abs(g) <= 1e-9, g > 1e-9) for g in gaps), strict=True)
    )
