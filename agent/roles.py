"""Who does what: each of a run's roles has a language model, most often the same one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from agent.models import ChatModel, Say
    from agent.outgoing import Outgoing
    from agent.settings import Settings

Chat = TypeVar("Chat")
Other = TypeVar("Other")


@dataclass(frozen=True, slots=True)
class Roles(Generic[Chat]):
    """The model that plans, writes code steps, writes the answer, and judges it; None does without one."""

    plan: Chat | None = None
    step: Chat | None = None
    answer: Chat | None = None
    judge: Chat | None = None

    @property
    def each(self) -> tuple[Chat | None, ...]:
        """The four models in their order."""
        return (self.plan, self.step, self.answer, self.judge)

    @property
    def chats(self) -> tuple[Chat, ...]:
        """The models that there are, each once."""
        return tuple({id(chat): chat for chat in self.each if chat is not None}.values())

    def map(self, change: Callable[[Chat], Other]) -> Roles[Other]:
        """Return the roles with each model changed, once: roles that share one share what became of it."""
        changed = {id(chat): change(chat) for chat in self.chats}
        return Roles(*(changed.get(id(chat)) for chat in self.each))


def one_for_all(chat: Chat | None) -> Roles[Chat]:
    """Return roles that are all this model's."""
    return Roles(chat, chat, chat, chat)


def names(settings: Settings) -> Roles[str]:
    """Return the names of the roles' models: those that are set apart, else the one for all."""
    every = settings.model
    return Roles(
        settings.plan_model or every,
        settings.step_model or every,
        settings.answer_model or every,
        settings.judge_model or every,
    )


def make_roles(settings: Settings, *, outgoing: Outgoing, say: Say | None = None) -> Roles[ChatModel]:
    """Return the models of the settings, made once for each name. Nothing is loaded before a model's first call.

    What leaves this machine goes through `outgoing`. Raises UserError for a name that no model can have.
    """
    from agent.models import make_chat

    named = names(settings)
    made = {
        name: make_chat(name, say=say, idle_seconds=60 * settings.idle_minutes, outgoing=outgoing)
        for name in named.chats
        if name != "none"
    }
    return Roles(*(made.get(name or "") for name in named.each))
