import pytest

from local.backing.postgres_memory import MIB, default_memory, machine_memory, memory_settings


@pytest.mark.parametrize(
    ("machine", "memory"), [(512, 192), (2048, 256), (16 * 1024, 2048), (256 * 1024, 4096)]
)
def test_the_database_takes_an_eighth_of_the_machine_within_bounds(machine: int, memory: int) -> None:
    assert default_memory(machine * MIB) == memory * MIB


def test_what_the_database_takes_is_shared_out_among_buffers_and_maintenance() -> None:
    assert memory_settings(192 * MIB, 512 * MIB) == {
        "shared_buffers": "144MB",
        "maintenance_work_mem": "48MB",
        "effective_cache_size": "256MB",
    }
    assert memory_settings(8192 * MIB, 65_536 * MIB) == {
        "shared_buffers": "7168MB",
        "maintenance_work_mem": "1024MB",
        "effective_cache_size": "32768MB",
    }


def test_the_machine_has_memory() -> None:
    assert machine_memory() > 64 * MIB
