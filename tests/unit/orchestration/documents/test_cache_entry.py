"""What a file says about caching is what code would say."""

from __future__ import annotations

from orchestration.documents.cache_entry import CacheEntry
from state.caching import CachePolicy


def test_a_file_that_says_little_means_what_code_that_says_little_means() -> None:
    assert CacheEntry.model_validate({}).policy().document() == CachePolicy().document()
