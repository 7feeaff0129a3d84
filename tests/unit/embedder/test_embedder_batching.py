import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.lanes import Lane
from services.embedder.backends.dummy_backend import DummyModel
from services.embedder.batch_pace import QUERIES_COME_SECONDS, QUERY_WAITS_SECONDS, BatchPace
from services.embedder.batcher import Batcher, BatcherStopped
from services.embedder.embedding_model import Row, Vectors
from services.embedder.lane_queues import BULK_TOKENS
from tests.support.fakes.scripted_model import PATIENCE_SECONDS, ScriptedModel, vectors_of

Task = asyncio.Task[Vectors]

texts_of_a_caller = st.lists(st.text(alphabet="abc", min_size=1, max_size=60), max_size=12)


@asynccontextmanager
async def held(model: ScriptedModel, **limits: Any) -> AsyncIterator[tuple[Batcher, Task]]:
    """A batcher whose model is in the middle of a batch (the text "first"): what is asked now waits."""
    async with Batcher(model, **limits) as batcher:
        model.hold()
        first = asyncio.create_task(batcher.embed(["first"]))
        await asyncio.to_thread(model.running.wait, PATIENCE_SECONDS)
        try:
            yield batcher, first
        finally:
            model.release()
            await asyncio.gather(first, return_exceptions=True)


async def ask(
    batcher: Batcher, texts: Sequence[str], *, urgent: bool = False, lane: Lane = Lane.FIRST
) -> Task:
    task = asyncio.create_task(batcher.embed(texts, urgent=urgent, lane=lane))
    await asyncio.sleep(0)  # the task runs up to its wait, and so has asked
    return task


def failing_on(text: str, error: Exception, times: int = 1_000) -> Callable[[list[str]], None]:
    left = [error] * times

    def fail(texts: list[str]) -> None:
        if text in texts and left:
            raise left.pop()

    return fail


@settings(deadline=None)  # how long an example takes is the machine's load
@given(
    callers=st.lists(st.tuples(texts_of_a_caller, st.booleans()), max_size=8),
    max_tokens=st.integers(1, 200),
    max_rows=st.integers(1, 10),
)
def test_each_caller_gets_its_own_vectors_in_order_and_no_batch_exceeds_its_limits(
    callers: list[tuple[list[str], bool]], max_tokens: int, max_rows: int
) -> None:
    model = ScriptedModel()

    async def embed_all() -> list[Vectors]:
        async with Batcher(model, max_tokens_per_batch=max_tokens, max_rows=max_rows) as batcher:
            return await asyncio.gather(*(batcher.embed(texts, urgent=urgent) for texts, urgent in callers))

    answers = asyncio.run(embed_all())
    for (texts, _), answer in zip(callers, answers, strict=True):
        assert answer.dtype == np.float32
        np.testing.assert_array_equal(answer, vectors_of(texts).reshape(len(texts), 2))
    for batch in model.batches:
        assert len(batch) == 1 or len(batch) * max(map(len, batch)) <= max_tokens
        assert len(batch) <= max_rows
    assert sorted(model.seen) == sorted(text for texts, _ in callers for text in texts)


def test_the_batcher_gives_what_the_model_gives_alone() -> None:
    model = DummyModel()
    texts = ["one", "a longer text of more words", "", "two words"]

    async def embed() -> Vectors:
        async with Batcher(model, max_tokens_per_batch=8) as batcher:
            return await batcher.embed(texts)

    np.testing.assert_allclose(asyncio.run(embed()), model.embed(texts), atol=1e-6)


def test_callers_who_wait_share_a_batch() -> None:
    model = ScriptedModel()

    async def scenario() -> None:
        async with held(model) as (batcher, _):
            tasks = [await ask(batcher, ["aaaa"]), await ask(batcher, ["bbbb", "cccc"])]
            model.release()
            await asyncio.gather(*tasks)

    asyncio.run(scenario())
    assert [sorted(batch) for batch in model.batches] == [["first"], ["aaaa", "bbbb", "cccc"]]


def test_a_query_waits_for_the_running_batch_only() -> None:
    model = ScriptedModel()

    async def scenario() -> None:
        async with held(model, max_rows=1) as (batcher, _):
            documents = await ask(batcher, ["document one", "document two"])
            query = await ask(batcher, ["query"], urgent=True)
            model.release()
            await asyncio.gather(documents, query)

    asyncio.run(scenario())
    assert model.batches[:2] == [["first"], ["query"]]
    assert model.queries == ["query"]


def test_a_cancelled_caller_takes_its_waiting_rows_with_it_and_nobody_elses() -> None:
    model = ScriptedModel()

    async def scenario() -> Vectors:
        async with held(model) as (batcher, _):
            cancelled, other = await ask(batcher, ["gone"]), await ask(batcher, ["stay"])
            cancelled.cancel()
            await asyncio.wait([cancelled])
            model.release()
            return await other

    np.testing.assert_array_equal(asyncio.run(scenario()), vectors_of(["stay"]))
    assert model.batches == [["first"], ["stay"]]


def test_a_caller_cancelled_while_its_batch_runs_breaks_nobody() -> None:
    model = ScriptedModel()

    async def scenario() -> Vectors:
        async with held(model) as (batcher, first):
            first.cancel()
            await asyncio.wait([first])
            model.release()
            return await batcher.embed(["next"])

    np.testing.assert_array_equal(asyncio.run(scenario()), vectors_of(["next"]))


def test_a_models_error_reaches_exactly_the_callers_of_that_batch() -> None:
    model = ScriptedModel(failing_on("poison", RuntimeError("broken")))

    async def scenario() -> list[Vectors | BaseException]:
        # Six tokens a batch: "poison" alone, the others together, and then the rest of the poisoned caller.
        async with held(model, max_tokens_per_batch=6) as (batcher, _):
            poisoned = await ask(batcher, ["poison", "later!"])
            others = [await ask(batcher, ["a"]), await ask(batcher, ["b"])]
            model.release()
            return await asyncio.gather(poisoned, *others, return_exceptions=True)

    poisoned, *others = asyncio.run(scenario())
    assert isinstance(poisoned, RuntimeError)
    assert [np.asarray(answer).tolist() for answer in others] == [vectors_of([t]).tolist() for t in "ab"]
    assert "later!" not in model.seen


def test_a_batch_that_does_not_fit_into_memory_is_halved_once() -> None:
    model = ScriptedModel(failing_on("aa", MemoryError(), times=1))

    async def scenario() -> Vectors:
        async with Batcher(model) as batcher:
            return await batcher.embed(["aa", "bb", "cc", "dd"])

    np.testing.assert_array_equal(asyncio.run(scenario()), vectors_of(["aa", "bb", "cc", "dd"]))
    assert [len(batch) for batch in model.batches] == [4, 2, 2]


def test_a_half_that_does_not_fit_either_fails_its_callers_only() -> None:
    model = ScriptedModel(failing_on("a", MemoryError()))

    async def scenario() -> list[Vectors | BaseException]:
        async with held(model) as (batcher, _):
            tasks = [await ask(batcher, ["a"]), await ask(batcher, ["bb"])]
            model.release()
            return await asyncio.gather(*tasks, return_exceptions=True)

    large, small = asyncio.run(scenario())
    assert isinstance(large, MemoryError)
    np.testing.assert_array_equal(np.asarray(small), vectors_of(["bb"]))


def test_a_text_that_cannot_be_tokenized_fails_its_own_caller_only() -> None:
    model = ScriptedModel()

    async def scenario() -> list[Vectors | BaseException]:
        async with Batcher(model) as batcher:
            calls = [batcher.embed(["untokenizable"]), batcher.embed(["fine"])]
            return await asyncio.gather(*calls, return_exceptions=True)

    bad, good = asyncio.run(scenario())
    assert isinstance(bad, ValueError)
    np.testing.assert_array_equal(np.asarray(good), vectors_of(["fine"]))


def test_a_stop_lets_the_running_batch_end_and_tells_those_who_wait() -> None:
    model = ScriptedModel()

    async def scenario() -> list[Vectors | BaseException]:
        async with held(model) as (batcher, first):
            waiting = await ask(batcher, ["waiting"])
            stop = asyncio.create_task(batcher.__aexit__(None, None, None))
            await asyncio.sleep(0)
            assert not batcher.alive
            model.release()
            await stop
            return await asyncio.gather(*[first, waiting], return_exceptions=True)

    first, waiting = asyncio.run(scenario())
    np.testing.assert_array_equal(np.asarray(first), vectors_of(["first"]))
    assert isinstance(waiting, BatcherStopped)


def test_a_batcher_that_does_not_run_takes_no_texts() -> None:
    batcher = Batcher(ScriptedModel())

    async def scenario() -> None:
        with pytest.raises(BatcherStopped):
            await batcher.embed(["too early"])
        async with batcher:
            assert batcher.alive
        with pytest.raises(BatcherStopped):
            await batcher.embed(["too late"])

    asyncio.run(scenario())


class ForgetfulModel(ScriptedModel):
    """Breaks the model's promise: a row is missing."""

    def forward(self, rows: Sequence[object]) -> Vectors:
        return vectors_of(["one"] * (len(rows) - 1)).reshape(-1, 2)


def test_a_bug_on_the_models_thread_leaves_nobody_waiting_for_ever() -> None:
    async def scenario() -> bool:
        async with Batcher(ForgetfulModel(), on_death=lambda part, _: deaths.append(part)) as batcher:
            with pytest.raises(BatcherStopped):
                await asyncio.wait_for(batcher.embed(["a", "b"]), PATIENCE_SECONDS)
            return batcher.alive

    deaths: list[str] = []
    assert asyncio.run(scenario()) is False
    assert deaths == ["model"]


def test_no_texts_give_no_vectors_of_the_right_width() -> None:
    async def scenario() -> Vectors:
        async with Batcher(ScriptedModel()) as batcher:
            return await batcher.embed([])

    assert asyncio.run(scenario()).shape == (0, 2)


def test_the_first_lane_goes_before_bulk_that_waits_longer_and_a_query_before_both() -> None:
    model = ScriptedModel()

    async def embed_all() -> None:
        async with held(model, max_rows=1) as (batcher, _):
            bulk = await ask(batcher, ["bulk-1", "bulk-2"], lane=Lane.BULK)
            first = await ask(batcher, ["one", "two"])
            query = await ask(batcher, ["query"], urgent=True)
            model.release()
            await asyncio.gather(bulk, first, query)

    asyncio.run(embed_all())
    assert model.seen == ["first", "query", "one", "two", "bulk-1", "bulk-2"]


def test_bulk_has_a_quarter_of_the_tokens_while_the_first_lane_is_full() -> None:
    model = ScriptedModel()

    async def embed_all() -> None:
        async with held(model) as (batcher, _):
            bulk = [await ask(batcher, ["b" * 512] * 2, lane=Lane.BULK) for _ in range(20)]
            first = [await ask(batcher, ["f" * 512] * 8) for _ in range(15)]
            model.release()
            await asyncio.gather(*bulk, *first)

    asyncio.run(embed_all())
    until = max(index for index, text in enumerate(model.seen) if text.startswith("ff"))
    shared = model.seen[1:until]
    assert 0.2 <= sum(text.startswith("b") for text in shared) / len(shared) <= 0.3
    assert max(sum(map(len, batch)) for batch in model.batches if batch[0].startswith("b")) <= BULK_TOKENS


def test_while_queries_come_no_batch_takes_longer_than_a_query_may_wait() -> None:
    now, seconds_per_token = [0.0], 2.0**-13
    model = ScriptedModel(lambda texts: now.append(now[-1] + len("".join(texts)) * seconds_per_token))
    pace = BatchPace(lambda: now[-1])
    texts = [f"{number:050}" for number in range(20)]

    async def scenario() -> None:
        async with Batcher(model, pace=pace) as batcher:
            await batcher.embed(texts)
            await batcher.embed(["query"], urgent=True)
            await batcher.embed(texts)
            now.append(now[-1] + QUERIES_COME_SECONDS + 1)
            await batcher.embed(texts)

    asyncio.run(scenario())
    calm, queried, *short = model.batches[:-1]
    assert (len(calm), queried) == (20, ["query"])
    took = [len(batch) * 50 * seconds_per_token for batch in short]
    assert QUERY_WAITS_SECONDS / 2 < min(took) <= max(took) <= QUERY_WAITS_SECONDS
    assert len(model.batches[-1]) == 20


def test_a_query_that_comes_while_documents_are_tokenized_is_run_before_them() -> None:
    class SlowTokenizer(ScriptedModel):
        def tokenize(self, texts: Sequence[str], *, query: bool = False) -> list[Row]:
            if "first document" in texts:
                asyncio.run_coroutine_threadsafe(search(), loop).result(PATIENCE_SECONDS)
            return super().tokenize(texts, query=query)

    model = SlowTokenizer()
    searches: list[Task] = []
    batcher = Batcher(model)

    async def search() -> None:
        searches.append(await ask(batcher, ["query"], urgent=True))

    async def scenario() -> None:
        async with batcher:
            await batcher.embed(["first document"])
            await searches[0]

    loop = asyncio.new_event_loop()
    loop.run_until_complete(scenario())
    loop.close()
    assert model.batches == [["query"], ["first document"]]
