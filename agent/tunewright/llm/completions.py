"""A chat over any OpenAI-compatible endpoint: forms of structured replies, changes of form, retries, deadline, cost.

What differs between the libraries is one method, `_send`; the rest is here once.
"""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from tunewright.errors import ModelError
from tunewright.llm.base import Reply, Request
from tunewright.llm.extract import UNPARSED, extract_json
from tunewright.llm.faults import Endpoint, body_fault, no_completion, timeout_fault, to_fault
from tunewright.llm.hard_deadline import Emit, within
from tunewright.llm.prices import Prices
from tunewright.llm.retry import Budget, Fault, call_with_retries
from tunewright.llm.wire import (
    ROUTES,
    Exchange,
    Route,
    build_arguments,
    content_type,
    finish_of,
    read_answer,
    read_stream,
    schema_name,
    whole,
)

_LONGEST_REPLY = 1_000_000
"""Characters, thoughts and arguments of calls included; many times what the longest request allows. More is a broken
server's, and would stay in the record."""
_REFUSED = frozenset({400, 422})  # 422: servers built on FastAPI say so to a field that they do not know
_ADAPTABLE = ("max_tokens", "temperature", "seed", "stream_options")
_UNSUPPORTED = re.compile(
    r"unsupported|n[o']t support|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed|deprecated|extra inputs"
    r"|\bonly\b|must be|cannot"  # a model that thinks first: "temperature: only 1 is allowed", "may only be set to 1"
)
_LENGTH = re.compile(r"max_(completion_)?tokens|in the completion")
_TOO_LARGE = re.compile(r"too large|too high|exceed|at most|maximum|less than|range")
_NO_ROUTE = re.compile(r"no endpoints found")  # OpenRouter's 404 where no server of a model takes tools or a format


def check_address(url: str) -> None:
    """Raise `ModelError` for a base_url that is no address; the libraries say so as late as at the first request."""
    if not isinstance(url, str):
        raise ModelError(f"base_url is {url!r:.80}", "give an address such as https://api.openai.com/v1")
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname is not None and (parts.port or 0) >= 0
    except ValueError:  # a bracket that is not closed, or a port that is no number
        known = False
    if not known:
        shown = url.rpartition("@")[2].partition("?")[0]  # no user name, no password, no query
        raise ModelError(f"base_url is {shown!r}", "give an address such as https://api.openai.com/v1 (http or https)")


class CompletionsChat(ABC):
    """A model behind an endpoint that speaks OpenAI's chat completions.

    Structured replies are asked for as `response_format: json_schema`; if the endpoint refuses that with a 400 or 422,
    as a forced tool call that carries the schema; then as plain text that should hold JSON. What worked is remembered.
    A parameter (`max_tokens`, `temperature`, `seed`, `stream_options`) that a 400 names as unsupported, or a
    `max_tokens` beyond what the model can write, is renamed or left out from then on: see `adapted`. Neither counts as
    a retry; both share the request's deadline.

    A reply whose JSON does not parse has `data` None. Arguments of a tool call that are no JSON object arrive as
    `{"__unparsed__": text}`.
    """

    trusted_tools: bool = True
    _routes: tuple[Route, ...] = ROUTES

    def __init__(
        self,
        *,
        endpoint: Endpoint,
        model: str,
        prices: Prices,
        public_price: bool,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = endpoint.name
        self.model = model
        self.adapted: dict[str, str | None] = {}
        """Parameters that the endpoint refused: the name sent in their place, or None for left out."""
        self.route: Route | None = None
        """How structured replies are asked for; None until one has come."""
        self._endpoint = endpoint
        self._prices = prices
        self._public_price = public_price
        self._sleep = sleep

    @abstractmethod
    def check(self) -> None:
        """Raise `ModelError` when the model cannot be asked."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections."""

    @abstractmethod
    def _send(self, arguments: dict[str, Any], timeout_s: float) -> Any:
        """Make one HTTP request, without retries; return the library's answer, or its stream."""

    def complete(self, request: Request) -> Reply:
        """Ask once; `Reply.tokens_*` are of the exchange that gave the reply (a refused one is not charged).

        Raises:
            ModelError: no reply came; with `retryable` where the same request may succeed later.
        """
        budget = Budget(request.deadline_s)
        route = self._first_route(request)
        while True:
            arguments = self._arguments(request, route)
            try:
                exchange = call_with_retries(
                    lambda left, arguments=arguments: self._attempt(arguments, left, request.on_text),  # type: ignore[misc]
                    budget,
                    sleep=self._sleep,
                )
            except Fault as fault:
                another_form = fault.status in _REFUSED or _NO_ROUTE.search(fault.message.lower())
                if fault.no_credit or not another_form:
                    raise fault from None
                if self._adapt(fault.message, arguments):
                    continue
                next_route = self._route_after(route)
                if next_route is None:
                    raise fault from None
                route = next_route
                continue
            self.route = route if route is not None else self.route
            return self._reply(request, route, exchange, budget.spent())

    def estimate_usd(self, tokens_in: int, tokens_out: int) -> float | None:
        """US dollars for so many tokens; None where no price is known."""
        price = self._prices.find(self.name, public=self._public_price)
        return None if price is None else price.cost_usd(tokens_in, tokens_out)

    def _first_route(self, request: Request) -> Route | None:
        if request.schema is None:
            return None
        return self.route or self._routes[0]

    def _route_after(self, route: Route | None) -> Route | None:
        if route is None or route == self._routes[-1]:
            return None
        return self._routes[self._routes.index(route) + 1]

    def _arguments(self, request: Request, route: Route | None) -> dict[str, Any]:
        arguments = build_arguments(request, self.model, route)
        for parameter, replacement in self.adapted.items():
            if parameter in arguments:
                value = arguments.pop(parameter)
                if replacement is not None:
                    arguments[replacement] = value
        return arguments

    def _adapt(self, refusal: str, arguments: Mapping[str, Any]) -> bool:
        """Take note of a parameter that the refusal names as unsupported; False if it names none that was sent."""
        refusal = refusal.lower()
        length = self.adapted.get("max_tokens") or "max_tokens"
        if length in arguments and _LENGTH.search(refusal) and _TOO_LARGE.search(refusal):
            self.adapted["max_tokens"] = None  # what the server allows by itself is less than what it was asked for
            return True
        if not _UNSUPPORTED.search(refusal):
            return False
        for parameter in _ADAPTABLE:
            if parameter in arguments and re.search(rf"\b{parameter}\b", refusal):
                renamed = parameter == "max_tokens" and "max_completion_tokens" in refusal
                self.adapted[parameter] = "max_completion_tokens" if renamed else None
                return True
        return False

    def _attempt(self, arguments: dict[str, Any], seconds: float, on_text: Emit | None) -> Exchange:
        shown = False

        def show(text: str) -> None:
            nonlocal shown
            shown = shown or bool(text)
            if text and on_text is not None:
                on_text(text)

        try:
            return within(seconds, lambda emit: self._exchange(arguments, seconds, emit), show)
        except TimeoutError:
            fault = timeout_fault(self._endpoint)
        except Fault as raised:
            fault = raised
        # A second try would show the beginning of another reply behind the piece that is on the screen already.
        fault.final = fault.final or shown
        if fault.kind == "timeout":
            self._late()
        raise fault from None

    def _late(self) -> None:  # noqa: B027 (a hook: most backends have nothing to do)
        """Called when an answer did not come in time; the thread that waits for it is on its own from here."""

    def _exchange(self, arguments: dict[str, Any], seconds: float, emit: Emit) -> Exchange:
        try:
            answer = self._send(arguments, seconds)
            if not arguments.get("stream"):
                exchange = read_answer(answer)
                if exchange is not None:
                    self._bounded(sum(map(len, (exchange.text, exchange.thought, *exchange.raw_arguments))))
            else:
                heard = 0

                def hear(characters: int) -> None:
                    nonlocal heard
                    heard += characters
                    self._bounded(heard)

                try:
                    exchange = read_stream(answer, emit, hear)
                finally:
                    getattr(answer, "close", lambda: None)()
        except ModelError:
            raise
        except Exception as error:
            fault = to_fault(error, self._endpoint)
            if fault is None:
                raise
            raise fault from None
        if exchange is None:
            stated = getattr(answer, "error", None)
            raise body_fault(stated, self._endpoint) if stated else no_completion(str(answer), self._endpoint)
        if arguments.get("stream") and exchange.finish is None:
            kind = content_type(answer)
            if kind not in ("", "text/event-stream"):
                # a proxy's page, or a server that cannot stream: asked again it would say the same, perhaps for money
                raise Fault(
                    f"{self.name}: {self._endpoint.where} answered with {kind} in place of a stream",
                    "is base_url the address of an OpenAI-compatible API that streams? It usually ends in /v1",
                    kind="reply",
                )
            raise Fault(
                f"{self.name}: the stream from {self._endpoint.where} broke off before its end",
                "ask again",
                kind="connection",
            )
        return exchange

    def _bounded(self, characters: int) -> None:
        if characters > _LONGEST_REPLY:
            raise Fault(
                f"{self.name}: {self._endpoint.where} answered with more than {_LONGEST_REPLY:,} characters",
                "such a reply is no answer to what was asked: look at the server",
                kind="reply",
            )

    def _reply(self, request: Request, route: Route | None, exchange: Exchange, seconds: float) -> Reply:
        text, data, calls = exchange.text, None, tuple(exchange.calls)
        if request.schema is not None:
            carriers = {schema_name(request.schema)} if route == "tool" else set()
            carried = [index for index, call in enumerate(calls) if call.name in carriers]
            if carried:
                first = calls[carried[0]].arguments
                data = None if UNPARSED in first else first
                text = text or exchange.raw_arguments[carried[0]]
                calls = tuple(call for call in calls if call.name not in carriers)
            else:
                data = extract_json(text, request.schema)
        cost = self.estimate_usd(exchange.tokens_in, exchange.tokens_out) if exchange.counted else None
        return Reply(
            text=whole(text),
            data=whole(data),
            tool_calls=tuple(replace(call, arguments=whole(call.arguments)) for call in calls),
            thought=whole(exchange.thought),
            finish=finish_of(exchange.finish, bool(calls)),
            tokens_in=exchange.tokens_in,
            tokens_out=exchange.tokens_out,
            seconds=seconds,
            cost_usd=cost,
        )
