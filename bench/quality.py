"""Wide-band PESQ (ITU-T P.862.2) of what a listener heard against what was sent, in pieces of eight seconds.

Usage: quality.py REFERENCE.wav HEARD.wav [NAME]   (48 kHz mono, 16 bit; the second may begin earlier or later)
Prints one JSON line: the mean, the lowest piece, and how many pieces were measured.
"""

import json
import sys

import numpy
from pesq import pesq
from scipy.io import wavfile
from scipy.signal import correlate, resample_poly

RATE = 16_000
PIECE_S = 8
SETTLE_S = 8


def read(path):
    rate, samples = wavfile.read(path)
    return resample_poly(samples.astype(numpy.float64) / 32768.0, RATE, rate)


def lag_of(reference, heard):
    """Samples by which `heard` comes later than `reference`."""
    spectrum = correlate(heard, reference, mode="full", method="fft")
    return int(numpy.argmax(spectrum)) - (len(reference) - 1)


reference, heard = read(sys.argv[1]), read(sys.argv[2])
lag = lag_of(reference, heard)
scores = []
for start in range(SETTLE_S * RATE, len(reference) - PIECE_S * RATE, PIECE_S * RATE):
    piece = reference[start : start + PIECE_S * RATE]
    came = heard[max(0, start + lag) : start + lag + PIECE_S * RATE]
    if len(came) == len(piece):
        scores.append(pesq(RATE, piece, came, "wb"))
if not scores:
    sys.exit("nothing to compare: the sounds do not overlap")
mean = sum(scores) / len(scores)
name = sys.argv[3] if len(sys.argv) > 3 else "pesq_wb"
print(json.dumps({"measured": name, "mean": mean, "min": min(scores), "pieces": len(scores)}))
