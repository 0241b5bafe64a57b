from __future__ import annotations

import asyncio
import base64
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.sqlite import SqliteSaver

from checkpoints.database import Database, connect, open_database
from checkpoints.encryption import (
    KEY_VARIABLE,
    PLAIN_TEXT,
    Keyring,
    SealedText,
    encryption_keys,
)
from checkpoints.serializer import EncryptedSerializer, strict_serializer
from orchestration import AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator
from state.errors import AlreadyDecidedError, ConfigurationError, DatabaseError, EncryptionError
from state.plan import Plan
from tests.unit.checkpoints.bench import Shop
from tests.unit.checkpoints.hostile import HOSTILE, OPTIONS, hostile_value
from tests.unit.orchestration.waits import run
from tests.unit.orchestration.waits import signal as for_signal

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
THREAD: RunnableConfig = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
SECRETS = (b"input-4711", b"output-0815", b"failure-1234", b"message-5678", b"payload-9012")


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    """A key in the environment."""
    monkeypatch.setenv(KEY_VARIABLE, OLD.hex())
    return OLD.hex()


# -- keys -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [16, 24, 32])
def test_a_key_is_raw_or_hex_or_base64(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = bytes(range(200, 200 + size))
    hex_, plain = raw.hex(), base64.b64encode(raw).decode()
    forms: Sequence[str | bytes] = (
        raw, hex_, hex_.upper(), plain, base64.urlsafe_b64encode(raw).decode(), f" {plain} ",
    )  # fmt: skip
    for form in forms:
        assert encryption_keys(form) == (raw,)
        if isinstance(form, str):
            monkeypatch.setenv(KEY_VARIABLE, form)
            assert encryption_keys() == (raw,)


def test_several_keys_are_separated_by_commas_or_given_as_a_list() -> None:
    assert encryption_keys(f"{NEW.hex()}, {OLD.hex()}") == (NEW, OLD)
    assert encryption_keys([NEW, OLD.hex()]) == (NEW, OLD)


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_without_a_key_nothing_is_encrypted(
    nothing: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    if nothing is not None:
        monkeypatch.setenv(KEY_VARIABLE, nothing)
    assert encryption_keys() == ()
    assert open_database("memory://").cipher is PLAIN_TEXT


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("hunter2", "a key of 7 characters that is neither hex nor base64"),
        ("", "a key of 0 bytes"),
        ("ab" * 10, "a key of 15 bytes"),
        (b"short", "a key of 5 bytes"),
        (b"", "a key of 0 bytes"),
        ([], "is empty"),
        (f"{OLD.hex()},", "a key of 0 bytes"),
        ("schlüssel", "neither hex nor base64"),
    ],
)
def test_a_bad_key_is_refused_before_anything_is_opened_and_not_shown(
    bad: Any,  # noqa: ANN401
    message: str,
    url: str,
    file: Path,
) -> None:
    with pytest.raises(ConfigurationError, match=message) as refused:
        open_database(url, encryption_key=bad)
    assert "openssl rand -base64 32" in str(refused.value)
    assert not bad or str(bad) not in str(refused.value)
    assert not file.exists()


async def test_a_bad_key_in_the_environment_is_named(
    url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "hunter2")
    with pytest.raises(ConfigurationError, match=f"{KEY_VARIABLE} has a key of 7"):
        await SimpleCoordinator(database_url=url).threads()
    assert await asyncio.to_thread(file.exists) is False


def test_without_the_extra_the_error_names_it(
    url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "Crypto.Cipher", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'agent-.*\[encryption\]'"):
        open_database(url, encryption_key=OLD)
    assert not file.exists()


# -- texts ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "{}", "grüße 🎫", "x" * 100_000])
def test_a_sealed_text_opens_and_never_looks_the_same_twice(text: str) -> None:
    cipher = SealedText(Keyring([OLD]))
    assert cipher.open(cipher.seal(text)) == text
    assert cipher.seal(text) != cipher.seal(text)
    assert not text or text not in cipher.seal(text)
    assert PLAIN_TEXT.open(PLAIN_TEXT.seal(text)) == text


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda _: '{"plain": 1}', "is not encrypted.*is refused"),
        (lambda sealed: sealed[:-4] + "AAA=", "cannot be decrypted with the 1 given key"),
        (lambda sealed: sealed[:30], "cannot be decrypted|is damaged"),
        (lambda _: "sealed:aes:", "cannot be decrypted"),
        (lambda _: "sealed:aes:%%%", "is damaged"),
        (lambda sealed: sealed.replace(":aes:", ":rot13:"), "encrypted with 'rot13'"),
    ],
)
def test_a_text_that_was_changed_is_refused(damage: Callable[[str], str], message: str) -> None:
    cipher = SealedText(Keyring([OLD]))
    with pytest.raises(EncryptionError, match=message):
        cipher.open(damage(cipher.seal('{"a": 1}')))


# -- files ------------------------------------------------------------------------------


async def run_secretly(url: str) -> None:
    """Leave secrets in every place where a run keeps something."""

    async def clerk(given: dict[str, Any]) -> dict[str, Any]:
        if "fail" in given:
            raise ValueError(SECRETS[2].decode())
        return {"message": SECRETS[1].decode()}

    registry = AgentRegistry()
    registry.register(AgentSpec("clerk", ["filing"], handler=clerk))
    secret = {"note": SECRETS[0].decode()}
    tasks = [
        AgentTask("clerk", secret, task_id="a"),
        AgentTask("clerk", {**secret, "requires_approval": True}, task_id="b", depends_on=["a"]),
        AgentTask("clerk", {**secret, "fail": True}, task_id="c"),
    ]
    async with SimpleCoordinator(registry=registry, database_url=url) as coordinator:
        await coordinator.execute_parallel(tasks, thread_id="t", tenant="acme")
        no = {"decisions": [{"type": "reject", "message": SECRETS[3].decode()}]}
        done = await coordinator.resume("t", {"b": no})
        assert done["b"].reason == SECRETS[3].decode()
        await coordinator.execute_sequential(tasks[:1], thread_id="t2")
        waits = {"paused": for_signal("paid"), "later": for_signal("sent")}
        waiting = [AgentTask("clerk", task_id=name) for name in waits]
        await run(coordinator, waiting, waits, thread_id="t3")
        for name in ("sent", "paid"):  # one is kept for a while
            sent = await coordinator.signal("t3", name, SECRETS[4].decode())
        assert sent.result is not None
        assert sent.result["later"].output["payload"] == SECRETS[4].decode()
        found = await asyncio.to_thread(found_in_files, url)  # while the log is there
    assert found == await asyncio.to_thread(found_in_files, url)


def found_in_files(url: str) -> set[bytes]:
    file = Path(url.removeprefix("sqlite:///"))
    everything = b"".join(path.read_bytes() for path in sorted(file.parent.glob(f"{file.name}*")))
    assert b"SQLite format 3" in everything
    return {secret for secret in SECRETS if secret in everything}


@pytest.mark.usefixtures("key")
async def test_no_file_has_an_input_an_output_or_a_message(url: str) -> None:
    await run_secretly(url)
    assert await asyncio.to_thread(found_in_files, url) == set()


async def test_without_a_key_the_same_run_leaves_them_all(url: str) -> None:
    await run_secretly(url)
    assert await asyncio.to_thread(found_in_files, url) == set(SECRETS)


@pytest.mark.usefixtures("key")
async def test_an_encrypted_thread_is_paused_resumed_and_inspected(url: str) -> None:
    shop = Shop(url)
    await shop.chains("t", approval=True)
    done = await shop.coordinator.resume("t", {"a2": "approve"})
    _, seen = await shop.coordinator.inspect("t")
    assert done.as_json() == seen.as_json()
    assert (done.status, len(shop.calls)) == ("completed", 5)
    shop.close()


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (None, OLD, "is not encrypted, and ORCHESTRATION_ENCRYPTION_KEY is set"),
        (OLD, None, "is encrypted; give its key in ORCHESTRATION_ENCRYPTION_KEY"),
        (OLD, NEW, "cannot be decrypted with the 1 given key"),
        ([OLD, NEW], NEW, "cannot be decrypted with the 1 given key"),
    ],
)
async def test_a_database_is_not_opened_with_another_key(
    url: str,
    make_plan: Callable[[str], Plan],
    first: Any,  # noqa: ANN401
    second: Any,  # noqa: ANN401
    message: str,
) -> None:
    before = open_database(url, encryption_key=first)
    await before.threads.start("t", make_plan("r"), holder="me", seconds=0)
    before.close()
    with pytest.raises(EncryptionError, match=message):
        open_database(url, encryption_key=second)
    again = open_database(url, encryption_key=first)
    assert (await again.threads.get("t")).plan == make_plan("r")
    again.close()


async def test_after_a_change_of_keys_old_threads_go_on(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, OLD.hex())
    shop = Shop(url)
    await shop.buy("t", approval=True)
    monkeypatch.setenv(KEY_VARIABLE, f"{NEW.hex()},{OLD.hex()}")
    done = await shop.coordinator.resume("t", {"payer": "approve"})
    assert done.status == "completed"
    await shop.buy("new")
    monkeypatch.setenv(KEY_VARIABLE, NEW.hex())
    assert (await shop.coordinator.inspect("new"))[1].status == "completed"
    with pytest.raises(EncryptionError):
        await shop.coordinator.inspect("t")
    shop.close()


@pytest.mark.parametrize("table", ["checkpoints", "writes"])
@pytest.mark.usefixtures("key")
async def test_a_plain_row_among_encrypted_ones_is_refused(
    url: str, table: str, file: Path
) -> None:
    shop = Shop(url)
    await shop.buy("t", approval=True)
    with closing(connect(file)) as connection:
        column = "checkpoint" if table == "checkpoints" else "value"
        kind, value = strict_serializer().dumps_typed(empty_checkpoint())
        connection.execute(f"UPDATE {table} SET type = ?, {column} = ?", (kind, value))  # noqa: S608
    for refused in (shop.coordinator.inspect("t"), shop.coordinator.resume("t")):
        with pytest.raises(EncryptionError, match=r"is not encrypted.*anybody may have put it"):
            await refused
    assert shop.calls == ["buyer"]
    shop.close()


def test_a_row_of_langgraphs_own_saver_is_refused(url: str, file: Path) -> None:
    with SqliteSaver.from_conn_string(str(file)) as stock:
        stock.put(THREAD, empty_checkpoint(), {}, {})
    database = open_database(url, encryption_key=OLD)
    with pytest.raises(EncryptionError, match="is not encrypted"):
        database.checkpointer.get_tuple(THREAD)
    database.close()


def test_langgraphs_strict_mode_keeps_the_encryption() -> None:
    saver = open_database("memory://", encryption_key=OLD).checkpointer
    stricter = saver.with_allowlist([("datetime", "datetime")])
    assert isinstance(stricter.serde, EncryptedSerializer)
    kind, value = stricter.serde.dumps_typed({"a": 1})
    assert (kind, saver.serde.loads_typed((kind, value))) == ("msgpack+aes", {"a": 1})
    with pytest.raises(EncryptionError):
        stricter.serde.loads_typed(strict_serializer().dumps_typed({"a": 1}))


# -- hostile rows, as a coordinator meets them ------------------------------------------


class Victim:
    """A thread that waits for an approval, in a file that others can write to."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.trace = folder / "executed"
        self._environment = monkeypatch
        self.file = folder / "victim.db"

    @property
    def command(self) -> str:
        """Leaves a trace if it is executed."""
        return f"touch {shlex.quote(str(self.trace))}"

    async def wait(self, mode: str) -> Shop:
        """Run to the pause, encrypted or not."""
        if mode != "plain":
            self._environment.setenv(KEY_VARIABLE, OLD.hex())
        shop = Shop(f"sqlite:///{self.file}?synchronous=NORMAL")
        await shop.buy("t", approval=True)
        return shop

    def overwrite(self, table: str, row: tuple[str, bytes], *, sealed: bool) -> None:
        """Replace every row's value, sealed as somebody who has the key would do it."""
        kind, value = row
        if sealed:
            name, value = Keyring([OLD]).encrypt(value)
            kind = f"{kind}+{name}"
        column = "checkpoint" if table == "checkpoints" else "value"
        with closing(connect(self.file, "NORMAL")) as connection:
            connection.execute(
                f"UPDATE {table} SET type = ?, {column} = ?",  # noqa: S608
                (kind, value),
            )


@pytest.fixture
def victim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Victim]:
    victim = Victim(tmp_path, monkeypatch)
    yield victim
    assert not victim.trace.exists(), "something was executed"


@pytest.mark.parametrize("table", ["checkpoints", "writes"])
@pytest.mark.parametrize("mode", ["plain", "encrypted", "encrypted and sealed"])
async def test_no_run_executes_a_hostile_row(victim: Victim, table: str, mode: str) -> None:
    shop = await victim.wait(mode)
    coordinator = shop.coordinator
    for form in HOSTILE.values():
        victim.overwrite(table, form(victim.command), sealed="sealed" in mode)
        for look in (
            coordinator.inspect("t"),
            coordinator.resume("t"),
            coordinator.resume("t", {"payer": "approve"}),
        ):
            refused = (EncryptionError, AlreadyDecidedError)  # by the form before
            with pytest.raises(refused) if mode == "encrypted" else suppress(Exception):
                await look
    shop.close()


@pytest.mark.parametrize("code", range(6))
@pytest.mark.parametrize("mode", ["plain", "encrypted and sealed"])
async def test_no_run_executes_a_value_in_a_state_that_looks_right(
    victim: Victim, code: int, mode: str
) -> None:
    shop = await victim.wait(mode)
    saver = (await shop.database()).checkpointer
    found = await saver.aget_tuple({"configurable": {"thread_id": "t"}})
    assert found is not None
    state: dict[str, Any] = dict(found.checkpoint)
    state["channel_values"]["outcomes"]["buyer"]["output"] = hostile_value(
        code, "os", "system", victim.command, "x"
    )
    row = ("msgpack", ormsgpack.packb(state, option=OPTIONS))
    victim.overwrite("checkpoints", row, sealed="sealed" in mode)
    for look in (shop.coordinator.inspect("t"), shop.coordinator.resume("t")):
        with suppress(DatabaseError, TypeError, ValueError, AttributeError, KeyError):
            await look
    assert shop.calls == ["buyer"]
    shop.close()


async def test_a_pickle_is_refused_with_an_error_of_this_project(victim: Victim) -> None:
    shop = await victim.wait("plain")
    victim.overwrite("checkpoints", HOSTILE["pickle"](victim.command), sealed=False)
    with pytest.raises(DatabaseError, match="of type 'pickle' is refused"):
        await shop.coordinator.inspect("t")
    shop.close()


def test_a_database_hands_out_its_cipher(url: str) -> None:
    database: Database = open_database(url, encryption_key=OLD)
    assert isinstance(database.cipher, SealedText)
    assert database.cipher.open(database.cipher.seal("{}")) == "{}"
    database.close()
