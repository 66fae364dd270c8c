#!/usr/bin/env bash
# Runs every measurement one after another and prints one table: bench/run.sh short|long
#
# short takes some six minutes; long listens ten minutes for drift. What was measured is kept in target/bench.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-short}" in
    short) latency=60 hls=60 quality=70 drift=120 inputs=30 icecast=45 ;;
    long) latency=180 hls=180 quality=150 drift=600 inputs=60 icecast=90 ;;
    *) echo 'usage: bench/run.sh short|long' >&2; exit 2 ;;
esac

release="${RELEASE:-target/release}"
folder=target/bench
python=.venv/bin/python
figures="$folder/figures.jsonl"
export TRIBUNE="${TRIBUNE:-$release/tribune}"
mkdir -p "$folder"
: >"$figures"

measure() { # command...
    echo "bench: $*" >&2
    "$@" | tee -a "$figures"
}

# Two voices of different pitch take turns, a line each; the levels differ by 8 dB, as speakers' do.
speech() {
    local at=0 line
    rm -f "$folder"/line-*.wav
    while read -r line; do
        if ((at % 2)); then voice=(-v en-us+f3 -p 55 -a 60); else voice=(-v en-gb -p 35 -a 150); fi
        espeak-ng "${voice[@]}" -s 160 -w "$folder/line-$(printf %02d "$at").wav" "$line"
        at=$((at + 1))
    done <bench/speech.txt
    printf "file '%s'\n" "$PWD/$folder"/line-*.wav >"$folder/lines.txt"
    # Every measurement hears the same text, said again until it is long enough.
    ffmpeg -v error -y -stream_loop 3 -f concat -safe 0 -i "$folder/lines.txt" \
        -af "volume=-6dB,aresample=48000" -ac 1 -c:a pcm_s16le -t 200 "$folder/speech.wav"
}

speech
measure "$release/sound" latency "$latency"
measure "$release/sound" hls "$hls"
measure "$release/sound" quality "$quality" "$folder"
measure "$python" bench/quality.py "$folder/reference.wav" "$folder/heard.wav"
measure "$python" bench/ear.py "$folder/reference.wav" "$folder/heard.wav" "$folder/spectrogram.png"
measure "$release/sound" drift "$drift"
measure "$release/sound" inputs "$inputs"
measure "$release/sound" icecast "$icecast"
measure "$release/mix" --json
measure "$release/stage" cost
measure "$release/stage" quality "$folder"
for road in clean jitter-60 random-5 bursts-5 random-5-again bursts-5-again; do
    measure "$python" bench/quality.py "$folder/stage-reference.wav" "$folder/stage-$road-minus.wav" "pesq_stage_$road"
done
measure "$release/program"
measure "$release/recording"
"$python" bench/table.py "$figures"
