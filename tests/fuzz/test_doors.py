"""Nonsense at every door of the running system: none answers 500, and none stops what comes after."""

import asyncio
import base64
import json
import string
from urllib.parse import quote

import aio_pika
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import topology
from tests.fuzz.examples import FUZZ
from tests.support.documents import pdf
from tests.support.system import Json, System, plain_client, until

WEBHOOK = "/api/v1/events/webhook/document-processing"
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
statuses = st.sampled_from(
    ("parsing_started", "parsing", "parsed", "embedding", "embedded", "failed", "done", "")
)
documents = st.from_regex(r"fuzz-[A-Za-z0-9._:-]{1,20}", fullmatch=True) | st.text(max_size=140)


def reports() -> st.SearchStrategy[Json]:
    """Reports that are nearly right: each field as it should be, or anything."""
    fields = {
        "documentId": documents | json_values,
        "status": statuses | json_values,
        "message": st.text(max_size=2100) | json_values,
        "metadata": st.dictionaries(st.text(max_size=20), json_values, max_size=5) | json_values,
        "timestamp": st.datetimes().map(lambda moment: moment.isoformat() + "Z") | json_values,
        "ownerId": st.text(max_size=300) | json_values,
        "eventId": st.text(max_size=300) | json_values,
    }
    return st.fixed_dictionaries({}, optional=fields)


def answered(answer: httpx.Response) -> None:
    assert answer.status_code < 500, f"{answer.request.url}: {answer.status_code} {answer.text[:500]}"
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code


@pytest.fixture(scope="module")
def client(system: System) -> httpx.Client:
    return plain_client(system.url)


def test_no_report_is_answered_with_500_and_those_that_are_taken_are_projected(
    system: System, client: httpx.Client
) -> None:
    headers = {"X-Webhook-Key": system.api_key, "Content-Type": "application/json"}

    @FUZZ
    @given(reports() | json_values, st.binary(max_size=4))
    def post(report: object, tail: bytes) -> None:
        body = json.dumps(report).encode() + (tail if tail.startswith(b"\xff") else b"")
        answered(client.post(WEBHOOK, content=body, headers=headers))

    post()
    assert system.notify(documentId="after-the-fuzz", status="embedded").status_code == 202
    until_projected(system, "after-the-fuzz")


KNOWN = ("filename", "fileType", "pageCount", "chunkCount", "embeddedCount", "embeddingCount")
KNOWN_OF_FAILURES = ("error", "code", "stage", "retryable")
HOSTILE_METADATA: list[Json] = [
    {"filename": "a\x00b", "fileType": "\x00"},
    {"error": "\x00", "code": 5, "stage": {"no": "stage"}, "retryable": "maybe"},
    {"\x00": {"\x00": "\x00"}},
    {"pageCount": 10**400, "chunkCount": 2**31, "embeddedCount": -1},
]


def test_no_metadata_keeps_a_report_out_of_the_list_or_others_from_being_listed(
    system: System, client: httpx.Client
) -> None:
    headers = {"X-Webhook-Key": system.api_key, "Content-Type": "application/json"}
    taken: set[str] = set()

    @FUZZ
    @given(
        st.dictionaries(
            st.sampled_from(KNOWN + KNOWN_OF_FAILURES) | st.text(max_size=9), json_values, max_size=9
        )
        | st.sampled_from(HOSTILE_METADATA),
        st.sampled_from(("parsing_started", "parsed", "embedded", "failed")),
        st.text(max_size=20),
        st.booleans(),
    )
    def post(metadata: Json, status: str, message: str, is_named: bool) -> None:
        document_id = f"metadata-{len(taken)}"
        report = {"documentId": document_id, "status": status, "message": message, "metadata": metadata}
        if is_named:
            report["eventId"] = f"event of {document_id}"
        answer = client.post(WEBHOOK, content=json.dumps(report), headers=headers)
        assert answer.status_code == 202, answer.text
        taken.add(document_id)

    post()
    for document_id in taken:
        until_projected(system, document_id)
    answered(client.get("/api/v1/documents", params={"limit": 200}))


@pytest.mark.parametrize(
    ("field", "status"),
    [
        ('"metadata": {"x": NaN}', 400),
        ('"metadata": {"x": 1e999}', 422),
        ('"metadata": {"x": "\\ud800"}', 422),
        ('"metadata": {"\\ud800": 1}', 422),
        ('"message": "\\ud800"', 422),
        ('"ownerId": "\\u0000"', 422),
        ('"eventId": "\\u0000"', 422),
        ('"timestamp": "0001-01-01T00:00:00+14:00"', 422),
        ('"timestamp": "9999-12-31T23:59:59-14:00"', 422),
    ],
)
def test_a_report_that_no_event_could_carry_is_refused(
    field: str, status: int, system: System, client: httpx.Client
) -> None:
    body = f'{{"documentId": "refused", "status": "parsed", {field}}}'
    headers = {"X-Webhook-Key": system.api_key, "Content-Type": "application/json"}
    assert client.post(WEBHOOK, content=body, headers=headers).status_code == status


def until_projected(system: System, document_id: str) -> None:
    def is_there() -> bool:
        with system.client() as client:
            return client.get(f"/api/v1/documents/{document_id}").status_code == 200

    until(is_there, 20)


def test_no_form_is_answered_with_500(system: System, client: httpx.Client) -> None:
    names = st.text(string.printable, max_size=40)
    parts = st.lists(
        st.tuples(st.sampled_from(("file", "File", "other", "")), names, st.binary(max_size=300)), max_size=3
    )

    @FUZZ
    @given(parts, st.sampled_from(("", "x" * 200, 'b"d', "--", "b")), st.integers(-40, 40), st.booleans())
    def post(fields: list[tuple[str, str, bytes]], boundary: str, cut: int, closed: bool) -> None:
        mark = (boundary or "b").encode()
        body = b""
        for field, filename, content in fields:
            about = f'Content-Disposition: form-data; name="{field}"; filename="{filename}"'.encode()
            body += b"--" + mark + b"\r\n" + about + b"\r\n\r\n" + content + b"\r\n"
        body = (body + b"--" + mark + b"--\r\n" if closed else body)[: cut or None]
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        answered(client.post("/api/v1/documents", content=body, headers=headers))

    post()


def test_no_query_is_answered_with_500(system: System, client: httpx.Client) -> None:
    anything = (
        st.text(max_size=30)
        | st.integers().map(str)
        | st.sampled_from(("start", "0-00000000", "-1", "9" * 30))
    )
    paths = st.sampled_from(
        (
            "/api/v1/documents",
            "/api/v1/documents/{}",
            "/api/v1/documents/{}/chunks",
            "/api/v1/dead-letters",
            "/{}",
        )
    )
    keys = ("status", "fileType", "limit", "cursor", "documentId", "source")
    queries = st.dictionaries(st.sampled_from(keys), anything | st.lists(anything, max_size=3), max_size=4)

    @FUZZ
    @given(paths, anything, queries)
    def get(path: str, value: str, query: dict[str, object]) -> None:
        answered(client.get(path.format(quote(value, safe="") or "_"), params=query))  # type: ignore[arg-type]  # whatever Hypothesis drew

    get()


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("documents?fileType=a%00b", 400),
        ("documents?cursor=%00", 400),
        ("documents/%00", 400),
        ("documents/%ED%A0%80", 404),
        ("documents?fileType=%ED%A0%80", 200),
        (f"documents?cursor={cursor('2026-11-22T00:00:00+00:00 ' + chr(0))}", 422),
        (f"documents?cursor={cursor('0001-01-01T00:00:00+14:00 a')}", 422),
        (f"documents?cursor={cursor('2026-11-22T00:00:00 a')}", 422),
        (f"documents?cursor={cursor('2026-11-22T00:00:00+00:00 a')}", 200),
        (f"documents/none/chunks?cursor={'9' * 30}", 422),
        ("events?fileType=%00", 400),
    ],
)
def test_an_address_that_the_database_could_not_read_is_refused(
    path: str, status: int, client: httpx.Client
) -> None:
    assert client.get(f"/api/v1/{path}").status_code == status


def test_no_stream_is_answered_with_500(system: System, client: httpx.Client) -> None:
    anything = st.text(max_size=30) | st.sampled_from(("start", "0-00000000", "-1", "9" * 18 + "-00000000"))
    keys = (
        "lastEventId",
        "last_event_id",
        "documentId",
        "status",
        "fileType",
        "source",
        "snapshot",
        "ticket",
    )
    queries = st.dictionaries(st.sampled_from(keys), anything | st.lists(anything, max_size=3), max_size=4)

    @FUZZ
    @given(queries, st.text(string.ascii_letters + string.digits + ".-_ ", max_size=80))
    def follow(query: dict[str, object], last: str) -> None:
        headers = {"Last-Event-ID": last} if last.strip() == last else {}
        with client.stream("GET", "/api/v1/events", params=query, headers=headers) as answer:  # type: ignore[arg-type]  # whatever Hypothesis drew
            assert answer.status_code < 500
            if answer.status_code == 200:
                assert next(answer.iter_bytes()).startswith(b"retry:")

    follow()


def test_no_search_is_answered_with_500(system: System, client: httpx.Client) -> None:
    bodies = st.fixed_dictionaries(
        {"query": st.text(max_size=80) | json_values},
        optional={
            "limit": st.integers() | json_values,
            "mode": st.sampled_from(["hybrid", "semantic", "words"]) | json_values,
            "documentIds": st.lists(st.text(max_size=20)) | json_values,
            "minCosine": st.floats() | json_values,
        },
    )

    @FUZZ
    @given(bodies | json_values)
    def search(body: object) -> None:
        answered(client.post("/api/v1/search", json=body))

    search()


def test_no_message_stops_a_stage(system: System) -> None:
    number = st.integers() | st.integers(1, 3)
    commands = st.fixed_dictionaries(
        {"documentId": documents},
        optional={"attempt": number, "batch": number, "batches": number, "first": number, "count": number},
    )
    put: list[bytes] = []

    # One message an example: the first example of a whole list is a list of the simplest.
    @settings(FUZZ, max_examples=150)
    @given(commands | json_values)
    def choose(value: object) -> None:
        put.append(json.dumps(value).encode())

    @settings(FUZZ, max_examples=20)
    @given(st.binary(max_size=60))
    def choose_bytes(raw: bytes) -> None:
        put.append(raw)

    choose()
    choose_bytes()
    assert len(set(put)) > 50
    left = asyncio.run(_put_and_wait(system.rabbitmq_url, put))
    assert left == {queue.name: 0 for queue in topology.work_queues()}
    document_id = system.accept("after-fuzz.pdf", pdf("Work goes on after a flood of nonsense."))
    assert system.finished(document_id)["status"] == "embedded"
    for name in ("parser", "embedder"):
        assert "delivery_met_a_bug" not in system.log(name)


async def _put_and_wait(url: str, bodies: list[bytes]) -> dict[str, int]:
    """Publish to both stages, wait until they have settled all of it, and clear their dead letters away."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        left: dict[str, int] = {}
        for queue in topology.work_queues():
            for body in bodies:
                await channel.default_exchange.publish(aio_pika.Message(body), queue.name)
        async with asyncio.timeout(30):
            while sum(left.values()) or not left:
                for queue in topology.work_queues():
                    left[queue.name] = (
                        await channel.get_queue(queue.name)
                    ).declaration_result.message_count or 0
                await asyncio.sleep(0.1)
        for stage in ("parse", "embed"):
            await (await channel.get_queue(topology.dead_letter_queue(stage).name)).purge()
        return left
