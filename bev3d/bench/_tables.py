"""The parts of the page, each from the numbers as JSON holds them."""

from __future__ import annotations

from typing import Any

from bev3d.bench._format import bytes_rate, duration, each, error_text, markdown_table, ratio, short

__all__ = ["accuracy_table", "case_tables", "losses", "thread_ceilings", "verdict_table"]

Facts = dict[str, Any]


def verdict_table(verdicts: list[Facts]) -> str:
    """Limits beside numbers."""
    rows = []
    for v in verdicts:
        sign = "≥" if v["at_least"] else "≤"
        asked = f"{sign} {_quantity(v['bound'], v['quantity'])}"
        measured = "not measured" if v["measured"] is None else _quantity(v["measured"], v["quantity"])
        than = f" than {v['than']}" if v["quantity"] == "times faster" else ""
        met = "met" if v["met"] else "**missed**"
        rows.append((v["case"], v["contestant"], asked + than, measured, met))
    reached = sum(v["met"] for v in verdicts)
    table = markdown_table(("case", "contestant", "asked", "measured", ""), rows)
    return f"{reached} of {len(verdicts)} met.\n\n{table}"


def _quantity(value: float, quantity: str) -> str:
    if quantity == "ms":
        return duration(value)
    if quantity == "ns an item":
        return f"{short(value)} ns each"
    if quantity == "error":
        return f"error {error_text(value)}"
    if quantity == "wrong pairs":
        return f"{value:,.0f} wrong"
    if quantity == "GB/s":
        return f"{short(value)} GB/s"
    if quantity == "µs of the host":
        return f"{short(value)} µs of the host"
    if quantity == "share of copying":
        return f"{100 * value:.0f} % of a copy's bandwidth"
    if quantity == "times the floor":
        return f"{ratio(value)} the floor"
    return f"{ratio(value)} {'faster' if quantity == 'times faster' else 'one thread'}"


def accuracy_table(rows: list[Facts] | None) -> str:
    """Who gets pairs wrong."""
    if rows is None:
        return "Not measured: the sets of pairs come with the sources, not with the installed package."
    cells = []
    for row in rows:
        name = f"**{row['contestant']}**" if row["ours"] else row["contestant"]
        counts = (f"{row[key]:,}" for key in ("wrong", "silent", "outside"))
        cells.append((name, *counts, short(row["greatest_error"]), row["worst_set"]))
    header = ("contestant", "wrong", "no number", "outside [0, 1]", "greatest error", "most wrong on")
    pairs = rows[0]["pairs"] if rows else 0
    return f"Of {pairs:,} pairs, off by more than 1e-3:\n\n{markdown_table(header, cells)}"


def baseline(case: Facts) -> Facts | None:
    """Our first contestant that ran."""
    return next((t for t in case["timings"] if t["ours"] and t["median_ms"] is not None), None)


def case_tables(cases: list[Facts]) -> str:
    """A table for each case."""
    return "\n\n".join(f"### {case['name']}\n\n{_case_table(case)}" for case in cases)


def thread_ceilings(cases: list[Facts]) -> str:
    """What a second thread brings this machine at best, of the cases that measure the machine."""
    gains = []
    for case in cases:
        times = [t["median_ms"] for t in case["timings"]]
        if case["key"].startswith("machine-") and None not in times:
            gains.append(f"{case['name'].split(': ', 1)[1]}: {ratio(times[0] / times[1])}")
    text = "A kernel that is bound by memory cannot gain more from a second thread than a copy does."
    return f"{text} This machine gained, in this run: {'; '.join(gains)}." if gains else text


def _case_table(case: Facts) -> str:
    base, rate = baseline(case), case["moved_bytes"]
    on_gpu = any("host_us" in t for t in case["timings"])
    with_error = any(t["error"] is not None for t in case["timings"])
    article = "an" if case["unit"][0] in "aeiou" else "a"
    header = ["contestant", *(() if on_gpu else ("threads",)), "median", "quartiles", f"{article} {case['unit']}"]
    header += ["against the first", *(("device alone", "host") if on_gpu else ())]
    header += [*(("rate",) if rate else ()), *((case["error_name"],) if with_error else ())]
    rows = []
    for t in case["timings"]:
        row = [f"**{t['contestant']}**" if t["ours"] else t["contestant"], *(() if on_gpu else (t["threads"],))]
        if t["median_ms"] is None:
            row.append(f"failed: {t['failure']}")
            rows.append(row + [""] * (len(header) - len(row)))
            continue
        row += [duration(t["median_ms"]), f"{duration(t['lower_quartile_ms'])} to {duration(t['upper_quartile_ms'])}"]
        row += [each(t["median_ms"], case["items"])]
        row += ["" if base is None or t is base else ratio(t["median_ms"] / base["median_ms"])]
        if on_gpu:
            row += [duration(t["device_ms"]) if t["device_ms"] else "", duration(t["host_us"] / 1e3)]
        row += [bytes_rate(rate, t.get("device_ms") or t["median_ms"])] if rate else []
        rows.append(row + ([error_text(t["error"])] if with_error else []))
    return markdown_table(header, rows)


def losses(cases: list[Facts]) -> str:
    """Peers that were faster than our first contestant."""
    found = []
    for case in cases:
        base = baseline(case)
        if base is None:
            continue
        for t in case["timings"]:
            if not t["ours"] and t["median_ms"] is not None and t["median_ms"] < base["median_ms"]:
                gain = ratio(base["median_ms"] / t["median_ms"])
                found.append((case["name"], t["contestant"], t["threads"], base["contestant"], gain))
    if not found:
        return "In no case of this run was another contestant faster than our first one."
    return markdown_table(("case", "faster", "threads", "than", "by"), found)
