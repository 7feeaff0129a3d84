"""``stagecast audit``: whether anything was lost, asked of database, broker and object store themselves.

Not of the API: what it can't see is just what is looked for. So the command needs the settings of the services.
"""

import asyncio
from datetime import timedelta
from pathlib import Path

from cli.failures import CommandFailed
from cli.output import at_terminal, json_line, out, plain


async def audit(tolerance_seconds: float, *, rebuild_archive: bool = False) -> int:
    """Print what was counted and what was found; status 1 when there is a finding. Raises CommandFailed.

    With ``rebuild_archive`` the archive is emptied first, and the API fills it again from the log.
    """
    try:
        from services.api.archive.archive_keeper import forget
        from services.api.audit.comparison import Audit, audit
        from services.runtime.database.engine import create_engine, required_database_url
        from services.runtime.errors import is_transient
        from services.runtime.object_store import ObjectStore
        from services.runtime.process.settings import CommonSettings
    except ImportError as error:
        raise CommandFailed(
            f"The audit needs what the API is installed with: {error.name} is missing"
        ) from error
    settings = CommonSettings.read()
    rabbitmq_url = settings.rabbitmq_url
    if "rabbitmq_url" not in settings.model_fields_set:
        rabbitmq_url = _private_url(settings.data_dir) or rabbitmq_url
    engine = create_engine(required_database_url(settings), pool_size=2)
    tolerance = timedelta(seconds=tolerance_seconds)
    try:
        if rebuild_archive:
            await forget(engine)
        found: Audit = await audit(
            engine, rabbitmq_url, ObjectStore(settings.object_store_url), tolerance=tolerance
        )
    except Exception as error:
        if not is_transient(error):
            raise
        raise CommandFailed(f"A part of the system does not answer: {error}") from error
    finally:
        await engine.dispose()
    await asyncio.to_thread(_show, found.counts, [(f.what, f.subject, f.detail) for f in found.findings])
    return 1 if found.findings else 0


def _private_url(data_dir: Path) -> str | None:
    """The broker that ``make up`` runs in DATA_DIR, as the database is the one there."""
    # Here, because an installation in a container has no private node.
    from local.backing.rabbitmq import running_url

    return running_url(data_dir / "rabbitmq")


def _show(counts: dict[str, int], findings: list[tuple[str, str, str]]) -> None:
    if not at_terminal():
        json_line({"counts": counts, "findings": findings, "summary": _summary(findings)})
        return
    for what, count in counts.items():
        out().print(f"{count:>10,}  {what}")
    for what, subject, detail in findings:
        out().print(f"[red]{what}[/]  {plain(subject)}  {plain(detail)}", soft_wrap=True)
    out().print(_summary(findings))


def _summary(findings: list[tuple[str, str, str]]) -> str:
    return f"{len(findings)} things are wrong" if findings else "nothing is missing"
