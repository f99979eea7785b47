"""The result of the capture benchmark for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

_LEGEND = (
    "x UDP: beside one bare asyncio UDP round trip. share: of the interval, as often as one "
    "capture has it.\nRuns: min / median / max."
)
_HEAD = ("milliseconds", "p50", "p95", "x UDP", "share", "runs")


def table(result: dict[str, Any]) -> str:
    """*result* as text: ratios are what counts, milliseconds belong to one machine and day."""
    machine, rate = result["machine"], result["captures_per_s"]
    rows: list[Sequence[str]] = [_HEAD]
    rows += _figures(result["capture"].values())
    rows.append(("alone, nothing else under way:", "", "", "", "", ""))
    rows += _figures(result["floors"].values())
    rows.append(("from both:", "", "", "", "", ""))
    rows += [
        (d["what"], _ms(d["ms"]), "", *_ratios(d), _noise(d["noise"]))
        for d in result["derived"].values()
    ]
    head = (
        f"{rate['median']:.1f} captures/s (runs: {_noise(rate)}), {result['captures']} captures a "
        f"run, {result['runs']} runs, photos of {result['photo_bytes']} bytes\n"
        f"{machine['cpus']} CPUs, load {machine['load_1_min']}, {machine['platform']}, "
        f"Python {machine['python']}, {machine['filesystem']}\n"
    )
    cpu = _cpu(result["cpu_ms_per_capture"])
    return "\n".join([head, *_lines(rows), "", *cpu, _datagrams(result), _LEGEND])


def _figures(figures: Iterable[dict[str, Any]]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = []
    for f in figures:
        times = f["times_per_capture"]
        what = f"{f['what']}, {times} a capture" if times > 1 else f["what"]
        rows.append((what, _ms(f["p50_ms"]), _ms(f["p95_ms"]), *_ratios(f), _noise(f["noise"])))
    return rows


def _ratios(figure: dict[str, Any]) -> tuple[str, str]:
    return f"{figure['per_udp_round_trip']:.3g}", f"{figure['share_of_interval']:.1%}"


def _ms(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _noise(noise: dict[str, float]) -> str:
    return " / ".join(_ms(noise[name]) for name in ("min", "median", "max"))


def _lines(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    return [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _cpu(cpu: dict[str, Any]) -> list[str]:
    return [
        f"CPU of the {name} agent: {used['all']['median']:.1f} ms a capture with its start, "
        f"{used['each_further']['median']:.1f} ms without "
        f"(runs: {_noise(used['each_further'])}); a run of one capture takes "
        f"{used['single_capture_run']:.0f} ms"
        for name, used in cpu.items()
    ]


def _datagrams(result: dict[str, Any]) -> str:
    counted = result["datagrams"]
    types = ", ".join(f"{count} {name}" for name, count in counted["by_type"].items())
    return (
        f"Datagrams: {counted['per_capture']:.2f} a capture ({types}); "
        f"{result['retakes']} retakes; x-ray ready in time for {result['prefetch_hits']:.0%}"
    )
