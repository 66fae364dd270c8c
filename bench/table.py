"""One table of what was measured, against what was promised. Usage: table.py FIGURES.jsonl

Exit status 1 when a promise is not kept.
"""

import json
import sys

measured = {}
is_whole = True
for line in open(sys.argv[1]):
    figures = json.loads(line)
    name = figures.get("measured") or next(iter(figures))
    if "not_measured" in figures:
        is_whole = is_whole and name not in ("fanout", "answers")
        print(f"{name}, {figures.get('server', '')}: not measured: {figures['not_measured']}", file=sys.stderr)
        continue
    measured[f"{name}_{figures['server']}" if name in ("fanout", "answers") else name] = figures
    if name == "resource":
        measured[f"capacity_{figures['resource']}"] = figures

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


def program_rows():
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
    program = next(figures for figures in measured.values() if "default_renditions_ms_per_s" in figures)
    row("cutting the default renditions", program["default_renditions_ms_per_s"], "ms a second")
    recording = next(figures for figures in measured.values() if "end_to_replay_ms" in figures)
    row(f"end to replay after {recording['hours']} h", recording["end_to_replay_ms"], "ms", 1_000)
    for name, seconds in recording["verify_s_per_hour"].items():
        row(f"verify {name}, each hour", seconds, "s", 1)


def stage_rows():
    alone = measured["stage_cost"]
    row(f"stage: {alone['speakers']} speakers, mixing alone, 5 % lost in bursts", alone["cores"], "cores", 0.5)
    roads = {"clean": 4.0, "jitter-60": 4.0, "random-5": 3.2, "bursts-5": 3.0, "random-5-again": 3.2}
    roads["bursts-5-again"] = 3.0
    for voice, who in (("speech", "machine's voices"), ("people", "two people")):
        for road, least in roads.items():
            pesq = measured[f"pesq_{voice}_{road}"]
            what = f"stage: PESQ wide-band, {who}, {road}, worst of {pesq['listeners']}"
            row(what, pesq["worst_mean"], "MOS-LQO", least=least)
    held = {road: measured[f"stage_speech_{road}_1"]["held_back_ms"] for road in roads}
    for road in roads:
        row(f"stage: held back, {road}", held[road], "ms")
    row("stage: held back longer because of 60 ms of jitter", held["jitter-60"] - held["clean"], "ms", 120)
    # Of the roads that lose nothing the one takes the buffer by surprise, once: it learns within two packets.
    for road, learning_ms in (("clean", 0), ("jitter-60", 40)):
        for voice, who in (("speech", "machine's voices"), ("people", "two people")):
            made_up = measured[f"stage_{voice}_{road}_1"]["concealed_ms"]
            row(f"stage: made up where nothing was lost, {who}, {road}", made_up, "ms", learning_ms)
    delay, janus = measured["talk_delay"], measured["talk_janus"]
    row("speaker to speaker directly, median", delay["direct_ms"]["p50"], "ms")
    name = f"speaker to speaker, {delay['on_stage']} on stage, added"
    row(f"{name}, median of {delay['added_ms']['count']}", delay["added_ms"]["p50"], "ms", 60)
    row(f"{name}, 99th percentile", delay["added_ms"]["p99"], "ms", 80)
    row(f"{name}, largest", delay["added_ms"]["max"], "ms")
    row(f"{name}: idle thread woken late meanwhile, largest", delay["idle_late_ms"]["max"], "ms")
    if not janus.get("is_missing"):
        row(f"{name} by Janus' AudioBridge, median", janus["added_ms"]["p50"], "ms")
        row(f"{name} by Janus' AudioBridge, 99th percentile", janus["added_ms"]["p99"], "ms")
        row("server: tribune", delay["server_cores"], "cores")
        row("server: Janus' AudioBridge", janus["server_cores"], "cores")
    row("speaker to live.opus, median", measured["talk_program"]["live_opus_ms"]["p50"], "ms", 600)
    row("speaker to live.opus, 99th percentile", measured["talk_program"]["live_opus_ms"]["p99"], "ms")
    full = measured["talk_cost"]
    name = f"{full['speakers']} speakers for {full['seconds']} s"
    row(f"{name}, the whole node", full["server_cores"], "cores", 0.5)
    row(f"{name}: frames over 20 ms late while no idle thread was", full["frames_late_alone"], "", 0)
    row(f"{name}: frames over 20 ms late in all", full["frames_late"], "")
    row(f"{name}: idle threads woken over 20 ms late", full["idle_late_20_ms"], "")
    row(f"{name}: packets that never came back", full["heard_packets_missing"], "", 0)
    chromium = measured["talk_chromium"]["mouth_to_ear_ms"]
    row(f"Chromium to Chromium, mouth to ear, median of {chromium['count']}", chromium["p50"], "ms", 200)
    row("Chromium to Chromium, mouth to ear, 99th percentile", chromium["p99"], "ms")


def door_rows():
    crowd = measured["door_crowd"]
    name = f"{crowd['per_s']} people a second for {crowd['seconds']} s, {crowd['listeners']} listening"
    row(f"{name}: answered well", crowd["answered_2xx"] / crowd["due"] * 100, "%", least=100)
    row(f"{name}: refused by the kernel", crowd["refused"] + crowd["kernel_refused"], "", 0)
    row(f"{name}: wait, median", crowd["wait_ms"]["p50"], "ms")
    row(f"{name}: wait, 99th percentile", crowd["wait_ms"]["p99"], "ms", 1_000)
    row(f"{name}: listeners cut off", crowd["listeners_cut_off"], "", 0)
    row(f"{name}: pages of sound left out", crowd["pages_missing"], "", 0)
    row(f"{name}: mute, longest of {crowd['mute_ms']['count']}", crowd["mute_ms"]["worst"], "ms", 200)
    row(f"{name}: the whole node", crowd["server_cores"], "cores")
    flood = measured["door_overload"]
    name = f"{flood['flood_per_s']} a second for {flood['flood_seconds']} s"
    row(f"{name}: served soon meanwhile, of {flood['steady_per_s']} a second", flood["during"]["soon"] * 100, "%")
    row(f"{name}: served again after", flood["recovered_s"], "s", 30)
    row(f"{name}: listeners cut off", flood["listeners_cut_off"], "", 0)
    row(f"{name}: pages of sound left out", flood["pages_missing"], "", 0)
    row(f"{name}: mute, longest of {flood['mute_ms']['count']}", flood["mute_ms"]["worst"], "ms", 200)
    for resource in ("descriptors", "processor", "memory", "egress"):
        figures = measured[f"capacity_{resource}"]
        if "cap_to_broke" in figures:
            too_full, broke = figures["cap_to_too_full"], figures["cap_to_broke"]
            row(f"self-test's cap to where parts are too late, {resource}: off by", abs(too_full - 1) * 100, "%", 20)
            row(f"self-test's cap to where it breaks, {resource}: off by", abs(broke - 1) * 100, "%")


def fanout_rows():
    bare, ours = measured["fanout_bare"], measured["fanout_tribune"]
    names = {"bare": "a bare loop of send", "tribune": "the node", "icecast": "Icecast"}
    names |= {"bare-six": "a bare loop of six parts a write", "tribune-six": "the node, six parts a write"}
    names |= {"bare-tls": "a bare loop that encrypts and sends", "tribune-tls": "the node by TLS"}
    for server, name in names.items():
        if figures := measured.get(f"fanout_{server}"):
            about = f"{figures['listeners']} listeners, {name}"
            row(f"{about}: processor", figures["us_per_listener_s"], "us a listener and second")
            row(f"{about}: longest gap, 99th percentile", figures["gap_p99_ms"], "ms")
            row(f"{about}: user memory", figures["user_bytes_per_listener"], "bytes a listener")
            row(f"{about}: kernel memory, of both ends", figures["kernel_bytes_per_listener"], "bytes a listener")
            storm = figures["storm"]
            row(f"{about}: gone, or never heard anything", figures["over"] + storm["silent"])
            for share, key in (("median", "p50"), ("99th percentile", "p99"), ("longest", "max")):
                row(f"{about}: first sound in the storm, {share}", storm[f"first_sound_{key}_ms"] or 0, "ms")
            row(f"{about}: longest gap of who was there in the storm", storm["gap_of_those_there_max_ms"] or 0, "ms")
    row("the node to the bare loop", ours["us_per_listener_s"] / bare["us_per_listener_s"], "x", 1.15)
    row("user memory of a listener", ours["user_bytes_per_listener"], "bytes", 1_024)
    if "fanout_tribune-six" in measured and "fanout_bare-six" in measured:
        bare_six, ours_six = measured["fanout_bare-six"], measured["fanout_tribune-six"]
        row("six parts a write, the node to the bare loop", ours_six["us_per_listener_s"] / bare_six["us_per_listener_s"], "x", 1.15)
    if "fanout_tribune-tls" in measured and "fanout_bare-tls" in measured:
        bare_tls, ours_tls = measured["fanout_bare-tls"], measured["fanout_tribune-tls"]
        row("by TLS, the node to the bare loop", ours_tls["us_per_listener_s"] / bare_tls["us_per_listener_s"], "x", 1.25)
        row("user memory of a listener by TLS", ours_tls["user_bytes_per_listener"], "bytes", 6_144)
    storm = ours["storm"]
    row("who came within a second: first sound, median", storm["first_sound_p50_ms"], "ms")
    row("who came within a second: first sound, 99th percentile", storm["first_sound_p99_ms"], "ms", 250)
    row("who came within a second and hears nothing", storm["silent"], "", 0)
    row("longest gap of who was there", storm["gap_of_those_there_max_ms"], "ms", 640)


def answers_rows():
    ours = measured["answers_tribune"]
    peers = [measured[peer] for peer in ("answers_nginx", "answers_nginx-read") if peer in measured]
    kinds = {
        "status": ("statuses on kept connections", 0.8),
        "ticket": ("tickets on new connections", 0.6),
        "handshake": ("full TLS handshakes with a status", 1),
    }
    for kind, (name, least) in kinds.items():
        # nginx as it is cheapest: by sendfile, or reading its file.
        peer = min(peers, key=lambda peer: peer[kind]["each_us"])
        row(f"{name}: {peer['server']}", 1e6 / peer[kind]["each_us"], "a second and processor")
        row(f"{name}: the node", 1e6 / ours[kind]["each_us"], "a second and processor")
        row(f"{name}: the node to {peer['server']}", peer[kind]["each_us"] / ours[kind]["each_us"], "x", least=least)
        row(f"{name}: not answered well, by both", ours[kind]["answered_otherwise"] + peer[kind]["answered_otherwise"], "", 0)


def hour_rows():
    hour = measured["hour"]
    name = f"{hour['listeners']} listeners for {hour['minutes']} minutes"
    row(f"{name}: gone", hour["gone"], "", 0)
    row(f"{name}: parts skipped", hour["parts_skipped"], "", 0)
    row(f"{name}: longest gap", hour["longest_gap_ms"]["max"], "ms")
    row(f"{name}: the node's memory, at most", hour["node_mib"]["max"], "MiB")


def vanish_rows():
    gone = measured["vanish"]
    name = f"{gone['go']} of {gone['stay'] + gone['go']} vanish"
    row(f"{name}: longest gap of who stays", gone["gap_max_ms"], "ms")
    row(f"{name}: the kernel's memory", gone["kernel_mib_max"], "MiB")
    row(f"{name}: miscounted after", abs(gone["counted_after"] - gone["stay"]), "", 0)


def cache_rows():
    cache = measured["cache"]
    name = f"{cache['players']} low-latency players behind nginx"
    row(f"{name}: the node's requests", cache["all_behind"]["node_requests_per_s"], "a second")
    row(f"{name}: the node", cache["all_behind"]["node_cores"], "cores")
    row(f"{name}, at the node itself", cache["all_direct"]["node_cores"], "cores")


if "latency" in measured:
    program_rows()
if "stage_cost" in measured:
    stage_rows()
if "door_crowd" in measured:
    door_rows()
if "fanout_tribune" in measured and "fanout_bare" in measured:
    fanout_rows()
if "answers_tribune" in measured and "answers_nginx" in measured:
    answers_rows()
if "hour" in measured:
    hour_rows()
if "vanish" in measured:
    vanish_rows()
if "cache" in measured:
    cache_rows()
idle = [figures["idle_late_ms"]["p99"] for figures in measured.values() if "idle_late_ms" in figures]
row("control: idle thread woken late, worst 99th percentile", max(idle), "ms")

widths = [max(len(cells[at]) for cells in rows) for at in range(5)]
for what, value, unit, promise, kept in rows:
    left = f"{what:<{widths[0]}}  {value:>{widths[1]}} {unit:<{widths[2]}}"
    print(f"{left}  {promise:<{widths[3]}}  {kept}".rstrip())
sys.exit(not is_whole or any(cells[4] == "MISSED" for cells in rows))
