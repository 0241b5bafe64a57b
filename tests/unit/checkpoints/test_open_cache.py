from __future__ import annotations

from pathlib import Path

import pytest

from checkpoints.memory_cache import MemoryCache
from checkpoints.response_caches import open_cache
from checkpoints.sqlite_cache import SqliteCache
from state.errors import CacheError, ConfigurationError


def test_without_a_url_answers_are_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORCHESTRATION_CACHE_URL", raising=False)
    assert isinstance(open_cache(), MemoryCache)


async def test_the_environment_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATION_CACHE_URL", f"sqlite:///{tmp_path / 'cache.db'}")
    store = open_cache()
    assert isinstance(store, SqliteCache)
    await store.aclose()
    assert isinstance(open_cache("memory://"), MemoryCache)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis:hunter2@localhost", "the cache URL is not supported; use 'memory://'"),
        ("redis://me:hunter/2@localhost:1", r"redis://localhost:1 cannot be; write '/'"),
        ("redis://me:hunter?2@localhost:1", r"redis://localhost:1 cannot be; write '/'"),
        ("redis://me:hunter#2@localhost:1", r"redis://localhost:1 cannot be; write '/'"),
        ("redis://localhost/0?password=hunter2&socket_timeout=x", r"redis://localhost/0 cannot"),
        ("postgresql://localhost/x", "scheme 'postgresql' is not supported; use 'memory://'"),
        ("cache.db", "is not supported; use"),
        ("memory", "is not supported"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "names no file; use 'memory://'"),
        ("sqlite:///cache.db?synchronous=OFF", "takes none"),
        ("redis://:hunter2@localhost:notaport/0", r"redis://localhost:notaport/0 cannot be"),
    ],
)
def test_urls_that_cannot_be_are_refused_with_what_can(url: str, why: str) -> None:
    with pytest.raises(CacheError, match=why) as caught:
        open_cache(url)
    assert "hunter" not in str(caught.value)


def test_a_key_that_cannot_be_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cache.db"
    with pytest.raises(ConfigurationError):
        open_cache(f"sqlite:///{file}", encryption_key=b"short")
    assert not file.exists()
