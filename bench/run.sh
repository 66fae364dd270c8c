#!/usr/bin/env bash
# Runs measurements one after another and prints one table: bench/run.sh [all|stage|door|fanout|hour] short|long
#
# `stage`, `door` and `fanout` leave out what does not concern them; `hour` alone fills a node for an hour, and belongs to no other. All of short takes some thirty minutes, of long more than an hour and a
# half: it listens ten minutes for drift, has thirteen speakers on the stage for ten, and the door flooded for ten. What was measured is
# kept in target/bench.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { echo 'usage: bench/run.sh [all|stage|door|fanout|hour] short|long' >&2; exit 2; }

rows=all
case "${1:-}" in all | stage | door | fanout | hour) rows=$1; shift ;; esac
case "${1:-short}" in
    short) latency=60 hls=60 quality=70 drift=120 inputs=30 icecast=45 seeds=2 talk=80 full=60 crowd=20 flood=30 ;;
    long) latency=180 hls=180 quality=150 drift=600 inputs=60 icecast=90 seeds=8 talk=240 full=600 crowd=60 flood=600 ;;
    *) usage ;;
esac

release="${RELEASE:-target/release}"
folder=target/bench
python="${PYTHON:-.venv/bin/python}"
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

# Two women who were recorded for telephone exchanges, in English and French, at 16 kHz.
people() {
    local name voice sounds=/usr/share/asterisk/sounds
    : >"$folder/people.txt"
    for name in demo-instruct demo-congrats priv-callee-options demo-echotest demo-abouttotry vm-msginstruct \
        conf-usermenu screen-callee-options dir-intro; do
        for voice in en_US_f_Allison fr_CA_f_June; do
            ffmpeg -v error -y -f g722 -i "$sounds/$voice/$name.g722" -ar 48000 -ac 1 "$folder/line-$voice-$name.wav"
            printf "file '%s'\n" "$PWD/$folder/line-$voice-$name.wav" >>"$folder/people.txt"
        done
    done
    ffmpeg -v error -y -f concat -safe 0 -i "$folder/people.txt" -ac 1 -c:a pcm_s16le -t 200 "$folder/people.wav"
}

program() {
    measure "$release/sound" latency "$latency"
    measure "$release/sound" hls "$hls"
    measure "$release/sound" quality "$quality" "$folder"
    measure "$python" bench/quality.py pesq_wb "$folder/reference.wav" "$folder/heard.wav"
    measure "$python" bench/ear.py "$folder/reference.wav" "$folder/heard.wav" "$folder/spectrogram.png"
    measure "$release/sound" drift "$drift"
    measure "$release/sound" inputs "$inputs"
    measure "$release/sound" icecast "$icecast"
    measure "$release/mix" --json
    measure "$release/program"
    measure "$release/recording"
}

stage() {
    local voice road
    people
    measure "$release/stage" cost
    for voice in speech people; do
        rm -f "$folder/stage-$voice"-*.wav
        measure "$release/stage" quality "$folder" "$voice" "$seeds"
        for road in clean jitter-60 random-5 bursts-5 random-5-again bursts-5-again; do
            measure "$python" bench/quality.py "pesq_${voice}_$road" "$folder/stage-$voice-reference.wav" \
                "$folder/stage-$voice-$road".*.wav
        done
    done
    measure "$release/talk" delay "$talk"
    measure "$release/talk" janus "$talk"
    measure "$release/talk" program "$talk"
    measure "$release/talk" cost "$full"
    TRIBUNE_BIN="$(realpath "$TRIBUNE")" measure node web/tests/mouth-to-ear.mjs "$talk"
}

# Ten thousand listeners and as many people at the door want descriptors, on both sides.
door() {
    ulimit -n "$(ulimit -Hn)"
    measure "$release/door" 10000 "$crowd" 10000 both
    measure "$release/overload" 5000 50000 "$flood" 10000
    measure "$release/capacity" "$TRIBUNE"
}

# As many listeners as a process has descriptors for, beside a loop that does nothing but send; and short answers, beside nginx.
fanout() {
    ulimit -n "$(ulimit -Hn)"
    measure "$release/fanout" bare tribune icecast bare-six tribune-six bare-tls tribune-tls
    measure "$release/answers" nginx nginx-read tribune
    measure "$release/vanish"
    measure "$release/cache"
}

case "$rows" in all | stage) speech ;; esac
case "$rows" in all) program ;; esac
case "$rows" in all | stage) stage ;; esac
case "$rows" in all | door) door ;; esac
case "$rows" in all | fanout) fanout ;; esac
case "$rows" in hour) ulimit -n "$(ulimit -Hn)" && measure "$release/hour" ;; esac
"$python" bench/table.py "$figures"
