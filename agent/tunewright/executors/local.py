"""Jobs on this machine: a thread for each worker, which runs the tool."""

import math
import queue
import threading
import time
import traceback
from dataclasses import replace

from tunewright.executors.base import Report, Stop
from tunewright_tools.base import Job, Outcome, Point, Tool


class LocalExecutor:
    """Runs a tool in up to `workers` threads.

    Args:
        tool: what runs a job; a `command` is a process of its own, a `function` shares this one.
        workers: how many jobs run at once.
    """

    def __init__(self, tool: Tool, workers: int = 1) -> None:
        self.tool = tool
        self.workers = workers
        self._reports: queue.Queue[Report] = queue.Queue()
        self._threads: list[threading.Thread] = []

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def submit(self, job: Job, stop: Stop | None = None) -> None:
        """Start a job in a thread of its own, in which `stop` is asked for each point of its curve."""
        thread = threading.Thread(target=self._run, args=(job, stop), name=f"trial-{job.number}", daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def _run(self, job: Job, stop: Stop | None) -> None:
        def on_point(point: Point) -> bool:
            finite = {name: value for name, value in point.metrics.items() if math.isfinite(value)}
            if finite:
                self._reports.put(Report(job, point=replace(point, metrics=finite)))
            return stop is not None and stop(point)

        try:
            outcome = self.tool.run(job, on_point)
        except BaseException:  # a tool that raises is a defect of the tool; the study must still hear of the job
            outcome = Outcome("crashed", detail="the tool itself failed\n" + traceback.format_exc(), fault="host")
        self._reports.put(Report(job, outcome=outcome))

    def wait(self, seconds: float) -> list[Report]:
        """News of the jobs in the order in which it came; empty when none came within `seconds`."""
        try:
            reports = [self._reports.get(timeout=max(seconds, 0.0))]
        except queue.Empty:
            return []
        while not self._reports.empty():
            reports.append(self._reports.get())
        return reports

    def cancel(self) -> None:
        """End all jobs soon."""
        self.tool.cancel()

    def close(self) -> None:
        """Wait a few seconds for threads whose job was cancelled."""
        for thread in self._threads:
            thread.join(timeout=5)
