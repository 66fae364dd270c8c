"""What an ear would notice in the sound a listener heard: clicks where parts meet, peaks that distort, gaps.

Usage: ear.py REFERENCE.wav HEARD.wav [PICTURE.png]      (48 kHz mono, 16 bit)

Speech made from a voice of 22.05 kHz has next to nothing above 12 kHz, so a click at a part's edge stands out
there. Prints one JSON line: the power above 12 kHz within 5 ms of the edges against everywhere else, in
decibels; the true peak at four times the rate; the loudness of both. With a third argument it draws the
spectrograms of both, one above the other, by sox.
"""

import json
import subprocess
import sys

import numpy
from scipy.io import wavfile
from scipy.signal import butter, resample_poly, sosfilt

RATE = 48_000
PART = 15_360
EDGE = RATE * 5 // 1_000
SETTLE_S = 8
ABOVE_HZ = 12_000
SILENCE = 1e-12


def read(path):
    rate, samples = wavfile.read(path)
    if rate != RATE:
        sys.exit(f"{path} has {rate} samples a second, not {RATE}")
    return samples.astype(numpy.float64) / 32768.0


def decibels(power):
    return round(10 * float(numpy.log10(max(power, SILENCE))), 1)


def loudness(path):
    """Integrated loudness in LUFS and true peak in dBTP (EBU R 128, by ffmpeg)."""
    said = subprocess.run(
        ["ffmpeg", "-nostats", "-hide_banner", "-i", path, "-af", "ebur128=peak=true", "-f", "null", "-"],
        capture_output=True, text=True, check=True,
    ).stderr.rsplit("Summary:", 1)[1]
    value = lambda name: float(said.split(name, 1)[1].split()[0])
    return value("I:"), value("Peak:")


reference, heard = sys.argv[1], sys.argv[2]
samples = read(heard)
high = sosfilt(butter(8, ABOVE_HZ, "highpass", fs=RATE, output="sos"), samples)[SETTLE_S * RATE :]
samples = samples[SETTLE_S * RATE :]
# What was heard begins with a page, so edges are the multiples of a part from its first sample on.
first_edge = -(SETTLE_S * RATE) % PART
edges = numpy.arange(first_edge, len(high) - EDGE, PART)
edges = edges[edges >= EDGE]
at_edges = numpy.array([numpy.mean(high[at - EDGE : at + EDGE] ** 2) for at in edges])
between = edges[:-1] + PART // 2
elsewhere = numpy.array([numpy.mean(high[at - EDGE : at + EDGE] ** 2) for at in between])
peak = numpy.max(numpy.abs(resample_poly(samples, 4, 1)))
(said_lufs, _), (heard_lufs, heard_dbtp) = loudness(reference), loudness(heard)
print(json.dumps({
    "measured": "ear",
    "parts": len(edges),
    "above_12khz_at_edges_db": {"mean": decibels(at_edges.mean()), "max": decibels(at_edges.max())},
    "above_12khz_between_db": {"mean": decibels(elsewhere.mean()), "max": decibels(elsewhere.max())},
    "true_peak_dbtp": heard_dbtp,
    "true_peak_settled_dbtp": round(20 * float(numpy.log10(peak)), 2),
    "lufs": {"said": said_lufs, "heard": heard_lufs},
}))
if len(sys.argv) > 3:
    for name, path in (("said", reference), ("heard", heard)):
        picture = sys.argv[3].replace(".png", f"-{name}.png")
        part = ["trim", str(SETTLE_S), "12"]
        drawn = ["spectrogram", "-x", "900", "-y", "257", "-t", name, "-o", picture]
        subprocess.run(["sox", path, "-n", *part, *drawn], check=True)
