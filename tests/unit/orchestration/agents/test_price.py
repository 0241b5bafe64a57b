"""What a call costs: prices that are refused, and sums that genai-prices confirms."""

from __future__ import annotations

import math
import subprocess
import sys
from datetime import UTC, datetime

import genai_prices
import pytest
from genai_prices.data import providers
from hypothesis import given
from hypothesis import strategies as st

from orchestration import AgentSpec, RegistrationError
from orchestration.agents.endpoint import Endpoint
from orchestration.agents.model_prices import UnknownPriceError
from orchestration.agents.price import MOST, Price, cost_of, problems
from state.outcome import Usage

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NIGHT = datetime(2026, 11, 20, 20, tzinfo=UTC)
AMOUNTS = st.floats(0, MOST)
TOKENS = st.integers(0, 10_000_000)


def used(input_tokens: int, output_tokens: int) -> Usage:
    return Usage(input_tokens=input_tokens, output_tokens=output_tokens)


def by_genai_prices(model: str, usage: Usage, *, provider: str | None = None) -> float:
    tokens = genai_prices.Usage(**usage)
    found = genai_prices.calc_price(
        tokens, model, provider_id=provider, genai_request_timestamp=NOON
    )
    return float(found.total_price)


class TestWhatACallCosts:
    def test_nothing_is_known_without_a_price(self) -> None:
        assert cost_of(None, used(10, 10)) is None

    def test_a_number_is_the_price_of_each_call(self) -> None:
        assert cost_of(0.25, None) == 0.25
        assert cost_of(3, used(10, 10)) == 3.0
        assert cost_of(0, None) == 0.0

    def test_tokens_are_added_to_the_call(self) -> None:
        price = Price(per_call=0.01, per_million_input=2, per_million_output=10)

        assert cost_of(price, used(1_000, 500)) == pytest.approx(0.01 + 0.002 + 0.005, rel=1e-15)

    def test_a_sort_of_token_without_a_price_is_free(self) -> None:
        assert cost_of(Price(per_million_input=2), used(500_000, 500_000)) == 1.0
        assert cost_of(Price(per_million_output=2), used(500_000, 500_000)) == 1.0

    def test_without_usage_only_the_call_counts(self) -> None:
        assert cost_of(Price(per_call=0.5, model="gemini-2.5-flash"), None) == 0.5

    def test_uncounted_tokens_are_not_said_to_be_free(self) -> None:
        assert cost_of(Price(model="gemini-2.5-flash"), None) is None
        assert cost_of(Price(per_million_input=1), None) is None
        assert cost_of(Price(), None) == 0.0

    @given(AMOUNTS, AMOUNTS, AMOUNTS, TOKENS, TOKENS)
    def test_no_cost_is_negative_or_endless(
        self, call: float, given_rate: float, made_rate: float, given: int, made: int
    ) -> None:
        price = Price(per_call=call, per_million_input=given_rate, per_million_output=made_rate)

        cost = cost_of(price, used(given, made))

        assert cost is not None
        assert call <= cost < math.inf


class TestModels:
    @pytest.mark.parametrize("usage", [used(1_000, 300), used(199_999, 10), used(200_001, 70_000)])
    def test_every_model_costs_what_genai_prices_says(self, usage: Usage) -> None:
        compared = 0
        for provider in providers:
            for model in provider.models:
                price = Price(model=model.id, provider=provider.id)
                if list(problems(price)):
                    continue  # not for tokens; see the test below
                expected = by_genai_prices(model.id, usage, provider=provider.id)
                assert cost_of(price, usage, at=NOON) == pytest.approx(expected, rel=1e-12), price
                compared += 1
        assert compared > 500

    def test_a_tier_holds_for_all_tokens_of_the_request(self) -> None:
        price = Price(model="gemini-2.5-pro", provider="google")

        assert cost_of(price, used(200_000, 0)) == pytest.approx(200_000 * 1.25e-6)
        assert cost_of(price, used(200_001, 0)) == pytest.approx(200_001 * 2.5e-6)

    def test_the_provider_is_guessed(self) -> None:
        usage = used(1_000, 300)

        assert cost_of(Price(model="gpt-4o"), usage) == pytest.approx(
            by_genai_prices("gpt-4o", usage)
        )

    def test_some_models_cost_less_at_night(self) -> None:
        price = Price(model="deepseek-chat", provider="deepseek")

        night = cost_of(price, used(1_000, 1_000), at=NIGHT)
        noon = cost_of(price, used(1_000, 1_000), at=NOON)

        assert night is not None
        assert noon is not None
        assert noon != night

    def test_the_price_of_a_call_is_added(self) -> None:
        usage = used(1_000, 300)

        cost = cost_of(Price(per_call=1, model="gemini-2.5-flash"), usage)

        assert cost == pytest.approx(1 + by_genai_prices("gemini-2.5-flash", usage))

    def test_a_free_model_costs_nothing(self) -> None:
        assert cost_of(Price(model="gemma-3", provider="google"), used(1_000, 300)) == 0.0

    def test_an_unchecked_unknown_model_raises_and_says_which(self) -> None:
        with pytest.raises(UnknownPriceError, match="gemini-9-imaginary"):
            cost_of(Price(model="gemini-9-imaginary", provider="openai"), used(1, 1))


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "price",
        [
            None,
            0,
            0.5,
            Price(),
            Price(per_call=1),
            Price(per_million_input=0, per_million_output=3),
            Price(model="gemini-2.5-flash"),
            Price(model="gemini-2.5-flash", provider="google", per_call=2),
        ],
    )
    def test_prices_that_can_be(self, price: object) -> None:
        assert list(problems(price)) == []

    @pytest.mark.parametrize("amount", [-1, math.nan, math.inf, -math.inf, True, "3", 10**400])
    def test_amounts_that_cannot_be(self, amount: float) -> None:
        assert len(list(problems(amount))) == 1
        for price in (
            Price(per_call=amount),
            Price(per_million_input=amount),
            Price(per_million_output=amount),
        ):
            (problem,) = problems(price)
            assert problem.startswith("cost.per_")
            assert "give a number from 0" in problem

    def test_a_call_has_a_price_even_if_it_is_nothing(self) -> None:
        assert list(problems(Price(per_call=None)))  # type: ignore[arg-type]  # on purpose

    @pytest.mark.parametrize(
        ("price", "words"),
        [
            (Price(model="gemini-2.5-flush", provider="google"), "gemini-2.5-flash"),
            (Price(model="no-such-thing"), "knows no model 'no-such-thing'; correct it"),
            (Price(model="gemini-2.5-flash", provider="gogle"), "knows no provider 'gogle'"),
            (Price(model="gemini-2.5-flash", per_million_input=1), "one or the other"),
            (Price(provider="google"), "there is no cost.model"),
            (Price(model=""), "give its name"),
            (Price(model=7), "give its name"),  # type: ignore[arg-type]  # on purpose
            (Price(model="whisper-1", provider="openai"), "not for tokens"),
        ],
    )
    def test_models_that_cannot_be(self, price: Price, words: str) -> None:
        (problem,) = problems(price)

        assert words in problem

    def test_every_problem_is_told_at_once(self) -> None:
        assert len(list(problems(Price(per_call=-1, per_million_output=-1, model="nope")))) == 4


class TestRegistration:
    def test_an_agent_with_an_unknown_model_is_refused(self) -> None:
        with pytest.raises(RegistrationError, match="knows no model 'nope'") as raised:
            AgentSpec("seer", handler=dict, cost=Price(model="nope"))

        assert str(raised.value).count("nope") == 1

    def test_so_is_an_endpoint(self) -> None:
        places = [Endpoint(endpoint_id="near", address="http://localhost", cost=-1)]

        with pytest.raises(RegistrationError, match="endpoint 'near': cost is -1"):
            AgentSpec("seer", endpoints=places, cost=1)

    def test_genai_prices_is_loaded_only_for_a_model(self) -> None:
        script = (
            "import sys; from orchestration.agents.price import Price, cost_of, problems;"
            "p = Price(per_call=1, per_million_input=2);"
            "assert not list(problems(p));"
            "cost_of(p, {'input_tokens': 1, 'output_tokens': 1});"
            "assert 'genai_prices' not in sys.modules"
        )

        subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
