"""Accept or refuse a proposal. Nothing is clamped or repaired; each refusal has its reason and its numbers.

| symbol | meaning |
| --- | --- |
| x | the proposed configuration, on the parameters' grids |
| x* | the surrogate's own next point |
| p(x) | the surrogate's chance that a run of x succeeds, in (0, 1) |
| u(x) | optimism: minus the posterior mean plus KAPPA standard deviations of the standardised loss (higher is better) |
| n | number of trials with a value |
| psi(n) | margin by which u(x) may fall below u(x*): PSI / sqrt(n) |

Rules, in this order: (1) x is complete, in range, fulfils its conditions and relations; (2) x was not tried and is
not running; (3) p(x) >= SUCCESS * p(x*); (4) u(x) >= u(x*) - psi(n). Rule 4 follows the "justify" rule of LLINBO
(arXiv 2505.14756): a suggestion is taken when its upper confidence bound reaches the best one's up to a margin that
shrinks with evidence.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tunewright.space import Space
from tunewright.trial import Proposal, Verdict
from tunewright_tools.base import Config

if TYPE_CHECKING:
    from tunewright.surrogate import Surrogate

KAPPA = 2.0
SUCCESS = 0.5
PSI = 3.0
FEWEST = 4
"""Values needed before rule 4 speaks."""


@dataclass(frozen=True)
class Guard:
    """Judges proposals against the record and the surrogate.

    Args:
        space: what may run.
        taken: keys (`Space.key`) of all configurations tried or running.
        surrogate: None while there is too little to fit; then rules 1 and 2 alone hold.
        own: the surrogate's own next point x*.
    """

    space: Space
    taken: Collection[str]
    surrogate: "Surrogate | None" = None
    own: Mapping[str, Any] | None = None

    def judge(self, proposals: Sequence[Proposal]) -> list[tuple[Proposal, Verdict]]:
        """Each proposal as it would run (on the grids, unknown names dropped) and the verdict on it."""
        judged = [self._can_run(p) for p in proposals]
        if self.surrogate is None or self.own is None:
            return judged
        open_ = [i for i, (_, verdict) in enumerate(judged) if verdict.accepted]
        configs = [judged[i][0].config for i in open_]
        for i, verdict in zip(open_, self._promising(configs), strict=True):
            runnable, before = judged[i]
            judged[i] = runnable, replace(verdict, ignored=before.ignored)
        return judged

    def _can_run(self, proposal: Proposal) -> tuple[Proposal, Verdict]:
        """Rules 1 and 2."""
        checked = self.space.check(proposal.config)
        if checked.faults:
            reason = "invalid: " + "; ".join(str(fault) for fault in checked.faults)
            return proposal, Verdict(False, reason, ignored=checked.ignored)
        runnable = replace(proposal, config=checked.config)
        if self.space.key(checked.config) in self.taken:
            return runnable, Verdict(
                False, "repeat: this configuration was tried or is running", ignored=checked.ignored
            )
        return runnable, Verdict(True, ignored=checked.ignored)

    def _promising(self, configs: Sequence[Config]) -> Iterator[Verdict]:
        """Rules 3 and 4."""
        assert self.surrogate is not None
        assert self.own is not None
        *chances, p_own = self.surrogate.p_success([*configs, self.own]).tolist()
        *optimism, u_own = self.surrogate.upper_confidence([*configs, self.own], KAPPA).tolist()
        n = self.surrogate.n_done
        margin = PSI / math.sqrt(n)
        for p, u in zip(chances, optimism, strict=True):
            numbers = {"p_success": p, "p_success_own": p_own, "optimism": u, "optimism_own": u_own, "margin": margin}
            if p < SUCCESS * p_own:
                yield Verdict(False, f"likely to fail: chance of success {p:.2f}, {p_own:.2f} elsewhere", numbers)
            elif n >= FEWEST and u < u_own - margin:
                text = f"{u_own - u:.2f} standard deviations below the best candidate, {margin:.2f} allowed"
                yield Verdict(False, f"not promising: {text}", numbers)
            else:
                yield Verdict(True, "", numbers)
