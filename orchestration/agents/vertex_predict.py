"""A custom model behind a predict endpoint of Vertex AI: the kind `vertex_predict`.

Its address is `projects/P/locations/R/endpoints/E`, alone or at the end of a URL. It is sent one
instance: the prompt, which is what `orchestration.agents.model_input` has it told as one text, and
the fields that the settings name. Its settings, beside those of all of Vertex AI (`transport`,
`api_endpoint`, `credentials_file`, `timeout_seconds`, `model`):

- `system_prompt`: instructions that the prompt begins with;
- `prompt_field`: how the instance calls the prompt, by default `prompt`;
- `instance_fields`: names of fields of the task's input that become fields of the instance;
- `parameters`: further fields, the same for every call;
- `result_field`: where the text stands in a prediction that is an object; by default one of the
  usual names.

A prediction that is an object becomes the reply, with its text as `content`; of anything else the
text is the `content`, and all of it `predictions`. Text comes in one piece: the client has no way
to have it in several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestration.agents.google_address import ENDPOINTS, GRPC
from orchestration.agents.model_input import messages_for, prompt_of
from orchestration.agents.vertex_connector import VertexConnector, is_text, vertex_problems
from orchestration.agents.vertex_reply import text_in, usage_in, usage_in_metadata
from state.errors import UnknownReplyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestration.agents.endpoint import Endpoint
    from orchestration.agents.vertex_connector import Check, Left
    from orchestration.agents.vertex_predict_models import PredictClient
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject

_OWN: Final[Mapping[str, tuple[Check, str]]] = {
    "system_prompt": (is_text, "text"),
    "prompt_field": (is_text, "the name of a field"),
    "result_field": (is_text, "the name of a field"),
    "instance_fields": (
        lambda value: isinstance(value, list | tuple) and all(map(is_text, value)),
        "a list of names of fields",
    ),
    "parameters": (lambda value: isinstance(value, dict), "an object with fields"),
}


def problems(endpoint: Endpoint) -> Iterator[str]:
    """What is wrong with an endpoint, in words."""
    yield from vertex_problems(endpoint, collections=(ENDPOINTS,), own=_OWN)


def connect(endpoint: Endpoint) -> VertexPredict:
    """Make the way to a model."""
    return VertexPredict(endpoint)


class VertexPredict(VertexConnector["PredictClient"]):
    """Asks a custom model, over REST or gRPC."""

    def prepare(self) -> None:
        """Import LangChain's model."""
        import orchestration.agents.vertex_predict_models  # noqa: F401, PLC0415  heavy

    def make_client(self) -> PredictClient:
        """Make a client for the running loop."""
        from orchestration.agents import vertex_predict_models as models  # noqa: PLC0415  heavy

        make = models.grpc_client if self.place.transport == GRPC else models.rest_client
        return make(self.place, self.tokens, self.settings.get("prompt_field", "prompt"))

    async def close_client(self, client: PredictClient) -> None:
        """Close a client's connections."""
        await client.close()

    async def ask(
        self, client: PredictClient, input_data: JsonObject, context: AgentContext, left: Left
    ) -> JsonObject:
        """Have one instance predicted."""
        names = self.settings.get("instance_fields", ())
        fields = {name: input_data[name] for name in names if name in input_data}
        rest = {name: value for name, value in input_data.items() if name not in fields}
        told = messages_for(rest, context, system_prompt=self.settings.get("system_prompt"))
        predictions, metadata = await client.predict(
            prompt_of(told),
            fields={**self.settings.get("parameters", {}), **fields},
            seconds=left.seconds,
        )
        if not predictions:
            raise UnknownReplyError(f"{self.place.resource} answered without a prediction")
        reply = {**self._reply(predictions), **usage_in_metadata(metadata)}
        if context.streams and isinstance(text := reply.get("content"), str) and text:
            context.emit(text)
        return reply

    def _reply(self, predictions: list[Any]) -> JsonObject:
        """The predictions for one instance as a reply."""
        first = predictions[0]
        named = self.settings.get("result_field")
        text = text_in(first, fields=(named,)) if named else text_in(first)
        if isinstance(first, dict):
            return {**first, **({"content": text} if text else {}), **usage_in(first)}
        if isinstance(first, str):
            return {"content": text}
        return {"predictions": predictions, **({"content": text} if text else {})}
