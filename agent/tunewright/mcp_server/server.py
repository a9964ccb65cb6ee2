"""The server: each verb is a tool, with structured results; studies and plots are resources; two prompts.

Calls run in worker threads, so that a long one holds nothing up. While a call runs, the events of the session's runs
are its progress. Standard output belongs to the protocol: whatever else prints goes to standard error.
"""

import json
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from tunewright.errors import TunerError
from tunewright.events import Finished
from tunewright.mcp_server import resources
from tunewright.mcp_server.approval import SCHEMA, Questions, Turn, enter
from tunewright.redact import redact
from tunewright.render import render
from tunewright.verbs.base import VERBS, Answer, call, tool_specs
from tunewright.verbs.faults import Denied, WrongCall
from tunewright.verbs.session import Session

Context = ServerRequestContext[Any, Any]
_INPUT_REQUIRED_SINCE = "2026-07-28"
_PROGRESS_S = 0.5
_ANSWER = "approve"

_PROMPTS = {
    "set_up_tuning": types.Prompt(
        name="set_up_tuning",
        description="Set up a tuning session for a training script",
        arguments=[
            types.PromptArgument(name="script", description="Path of the script, inside the project", required=True),
            types.PromptArgument(name="wish", description="What matters: metric, budget, what stays fixed"),
        ],
    ),
    "explain_study": types.Prompt(
        name="explain_study",
        description="Explain a study: what was tried, what matters, what the model contributed",
        arguments=[types.PromptArgument(name="study", description="Name of the study", required=True)],
    ),
}


def make_server(session: Session) -> "Server[Any]":
    """A server over a session; its approver decides with what the client's person answers (`Elicited`)."""
    questions = Questions()

    async def list_tools(context: Context, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_tool(spec) for spec in tool_specs()])

    async def call_tool(
        context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        return await _called(session, questions, context, params)

    async def list_resources(context: Context, params: Any) -> types.ListResourcesResult:
        found = await anyio.to_thread.run_sync(lambda: list(resources.listed(session)))
        return types.ListResourcesResult(resources=found)

    async def list_templates(context: Context, params: Any) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=list(resources.TEMPLATES))

    async def read_resource(context: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        try:
            held = await anyio.to_thread.run_sync(resources.read, session, str(params.uri))
        except TunerError as e:
            raise _protocol_error(e) from e
        return types.ReadResourceResult(contents=[held])

    async def list_prompts(context: Context, params: Any) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=list(_PROMPTS.values()))

    async def get_prompt(context: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        return _prompt(params.name, params.arguments or {})

    return Server(
        "tunewright",
        title="Tunewright",
        instructions=render("mcp_instructions").text,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
    )


def serve(session: Session) -> None:
    """Speak over standard input and output until the client is gone; runs are then stopped, finished trials kept."""

    async def main() -> None:
        server = make_server(session)
        async with stdio_server() as (read, write):
            sys.stdout = sys.stderr  # from here on a stray print would break the protocol
            await server.run(read, write, server.create_initialization_options())

    printed = sys.stdout
    try:
        anyio.run(main)
    finally:
        sys.stdout = printed
        session.close()


def _tool(spec: Any) -> types.Tool:
    effect = VERBS[spec.name].effect
    hints = types.ToolAnnotations(read_only_hint=effect == "look", destructive_hint=effect == "delete")
    return types.Tool(
        name=spec.name,
        description=spec.description,
        input_schema={"type": "object", **spec.parameters},
        annotations=hints,
    )


# -- calls -------------------------------------------------------------------------------------------------------


async def _called(
    session: Session, questions: Questions, context: Context, params: types.CallToolRequestParams
) -> types.CallToolResult | types.InputRequiredResult:
    arguments = dict(params.arguments or {})
    as_text = json.dumps(arguments, sort_keys=True, default=str)
    turn = Turn()
    if params.request_state is not None:
        asked = questions.take(params.request_state, params.name, as_text)
        if asked is None:
            return _failed(Denied("the approval belongs to no question that is open", "make the call anew"))
        if not _said_yes((params.input_responses or {}).get(_ANSWER)):
            return _failed(Denied(f"not approved: {asked.text()}", "the person said no; nothing was done"))
        turn.granted = asked
    try:
        answer = await _with_progress(session, context, partial(_run, session, params.name, arguments, turn))
    except Denied as e:
        if turn.wanted is None or params.request_state is not None or not _can_ask(context):
            return _failed(e)
        return await _ask(session, questions, context, params, as_text, turn)
    except TunerError as e:
        return _failed(e)
    return types.CallToolResult(
        content=[types.TextContent(text=answer.text)], structured_content={"ok": True, **answer.data}
    )


def _run(session: Session, name: str, arguments: Mapping[str, Any], turn: Turn) -> Answer:
    enter(turn)
    return call(session, name, arguments, by="model")


async def _ask(
    session: Session,
    questions: Questions,
    context: Context,
    params: types.CallToolRequestParams,
    as_text: str,
    turn: Turn,
) -> types.CallToolResult | types.InputRequiredResult:
    """Put the question to the client's person, in the way of the protocol's revision, and act on the answer."""
    assert turn.wanted is not None
    question = types.ElicitRequestFormParams(message=turn.wanted.text(), requested_schema=SCHEMA)
    if context.protocol_version >= _INPUT_REQUIRED_SINCE:
        token = questions.put(params.name, as_text, turn.wanted)
        return types.InputRequiredResult(
            input_requests={_ANSWER: types.ElicitRequest(params=question)}, request_state=token
        )
    said = await context.session.elicit_form(question.message, SCHEMA, context.request_id)
    if not _said_yes(said):
        return _failed(Denied(f"not approved: {turn.wanted.text()}", "the person said no; nothing was done"))
    granted = Turn(granted=turn.wanted)
    try:
        answer = await anyio.to_thread.run_sync(_run, session, params.name, dict(params.arguments or {}), granted)
    except TunerError as e:
        return _failed(e)
    return types.CallToolResult(
        content=[types.TextContent(text=answer.text)], structured_content={"ok": True, **answer.data}
    )


def _said_yes(response: Any) -> bool:
    return (
        isinstance(response, types.ElicitResult)
        and response.action == "accept"
        and (response.content or {}).get("approve") is True
    )


def _can_ask(context: Context) -> bool:
    capabilities = context.session.client_capabilities
    return capabilities is not None and capabilities.elicitation is not None


async def _with_progress(session: Session, context: Context, work: Any) -> Answer:
    """The answer; finished trials are reported as progress while the call runs."""
    listener = session.listen()
    finished = 0

    async def report() -> None:
        nonlocal finished
        for heard in listener.drain():
            if isinstance(heard.event, Finished):
                finished += 1
                trial = heard.event.trial
                await context.session.report_progress(
                    finished, None, f"{heard.study}: trial {trial.number} {trial.status}"
                )

    async def keep_reporting() -> None:
        while True:
            await anyio.sleep(_PROGRESS_S)
            await report()

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(keep_reporting)
            answer: Answer = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
            group.cancel_scope.cancel()
        await report()
        return answer
    except* TunerError as found:
        raise _first(found) from None
    finally:
        session.ignore(listener)


def _first(group: BaseExceptionGroup[TunerError]) -> TunerError:
    inner: Any = group
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    assert isinstance(inner, TunerError)
    return inner


def _failed(error: TunerError) -> types.CallToolResult:
    message, hint = redact(error.message), redact(error.hint)
    record: dict[str, Any] = {"ok": False, "error": message, "next": hint, "denied": isinstance(error, Denied)}
    if isinstance(error, WrongCall):
        record["faults"] = [{"argument": f.argument, "seen": f.seen, "accepted": f.accepted} for f in error.faults]
    return types.CallToolResult(
        content=[types.TextContent(text=f"{message}\n-> {hint}")], structured_content=record, is_error=True
    )


def _protocol_error(error: TunerError) -> Exception:
    from mcp.shared.exceptions import MCPError

    return MCPError(code=types.INVALID_PARAMS, message=redact(f"{error.message}; {error.hint}"))


def _prompt(name: str, arguments: Mapping[str, str]) -> types.GetPromptResult:
    match name:
        case "set_up_tuning":
            text = render("mcp_set_up", script=arguments.get("script", ""), wish=arguments.get("wish", "")).text
        case "explain_study":
            text = render("mcp_explain", study=arguments.get("study", "")).text
        case _:
            raise _protocol_error(TunerError(f"there is no prompt {name!r}", f"prompts are {', '.join(_PROMPTS)}"))
    message = types.PromptMessage(role="user", content=types.TextContent(text=text))
    return types.GetPromptResult(description=_PROMPTS[name].description, messages=[message])
