"""One table of what was measured, against what was promised. Usage: table.py FIGURES.jsonl

Exit status 1 when a promise is not kept.
"""

import json
import sys

measured = {}
for line in open(sys.argv[1]):
    figures = json.loads(line)
    measured[figures.get("measured") or next(iter(figures))] = figures

rows = []


def row(what, value, unit="", most=None, least=None):
    """One line; `most` and `least` are what was promised."""
    promise = f"<= {most}" if most is not None else f">= {least}" if least is not None else ""
    kept = (most is None or value <= most) and (least is None or value >= least)
    rows.append((what, f"{value:.4g}", unit, promise, "" if not promise else "kept" if kept else "MISSED"))


def spread(what, figures, most=None):
    row(f"{what}, median", figures["p50"], "ms", most)
    row(f"{what}, 99th percentile", figures["p99"], "ms", most)
    row(f"{what}, largest of {figures['count']}", figures["max"], "ms")


latency, hls, drift, ear = (measured[name] for name in ("latency", "hls", "drift", "ear"))
spread("source to live.opus", latency["live_opus_ms"], 700)
row("holes", latency["holes"], "", 0)
spread("joining live.opus to its first page", latency["join_ms"])
row("parts behind the newest on joining", latency["join_parts_behind_max"], "", 1)
spread("source to LL-HLS, hold-back included", hls["ll_hls_ms"], 2_000)
row("PESQ wide-band at 64 kbit/s, mean", measured["pesq_wb"]["mean"], "MOS-LQO", least=4.0)
row(f"PESQ, lowest of {measured['pesq_wb']['pieces']} pieces", measured["pesq_wb"]["min"], "MOS-LQO")
row("true peak", ear["true_peak_dbtp"], "dBTP", -1.0)
row("above 12 kHz where parts meet, mean", ear["above_12khz_at_edges_db"]["mean"], "dB")
row("above 12 kHz between, mean", ear["above_12khz_between_db"]["mean"], "dB")
row("loudness said", ear["lufs"]["said"], "LUFS")
row("loudness heard", ear["lufs"]["heard"], "LUFS")
row(f"drift over {drift['seconds']} s: holes", drift["holes"], "", 0)
row("drift: 10 ms without the tone", drift["quiet_10ms"], "", 0)
row("drift: underruns", drift["underruns"], "", 0)
row("drift: pitch against a clock 0.1 % fast", drift["tone_ppm"] - drift["ppm"], "ppm")
row("drift: parts later at the end", drift["part_age_late_ms"] - drift["part_age_early_ms"], "ms", 5)
row("16 open inputs, the whole node", measured["inputs"]["server_cores"], "cores", 0.5)
for beside in measured["icecast"]["rows"]:
    name = f"in order, Icecast's burst {beside['burst_bytes']} bytes:"
    row(f"{name} tribune", beside["tribune_ms"]["p50"], "ms")
    row(f"{name} Icecast", beside["icecast_ms"]["p50"], "ms")
    row(f"{name} tribune to Icecast", beside["ratio"], "x")
for case in measured["mix"]["mix"]:
    row(f"mix: {case['case']}", case["cores"] * 100, "% of a core")
stage = measured["stage_cost"]
row(f"stage: {stage['speakers']} speakers, mix and mix-minus", stage["cores"], "cores", 0.5)
roads = {"clean": 4.0, "jitter-60": 4.0, "random-5": 3.2, "bursts-5": 3.0, "random-5-again": 3.2, "bursts-5-again": 3.0}
for road, least in roads.items():
    row(f"stage: PESQ wide-band, {road}", measured[f"pesq_stage_{road}"]["mean"], "MOS-LQO", least=least)
    row(f"stage: held back, {road}", measured[f"stage_{road}"]["held_back_ms"], "ms")
program = next(figures for figures in measured.values() if "default_renditions_ms_per_s" in figures)
row("cutting the default renditions", program["default_renditions_ms_per_s"], "ms a second")
recording = next(figures for figures in measured.values() if "end_to_replay_ms" in figures)
row(f"end to replay after {recording['hours']} h", recording["end_to_replay_ms"], "ms", 1_000)
for name, seconds in recording["verify_s_per_hour"].items():
    row(f"verify {name}, each hour", seconds, "s", 1)
idle = [figures["idle_late_ms"]["p99"] for figures in measured.values() if "idle_late_ms" in figures]
row("control: idle thread woken late, worst 99th percentile", max(idle), "ms")

widths = [max(len(cells[at]) for cells in rows) for at in range(5)]
for what, value, unit, promise, kept in rows:
    left = f"{what:<{widths[0]}}  {value:>{widths[1]}} {unit:<{widths[2]}}"
    print(f"{left}  {promise:<{widths[3]}}  {kept}".rstrip())
sys.exit(any(cells[4] == "MISSED" for cells in rows))
