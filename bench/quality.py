"""Wide-band PESQ (ITU-T P.862.2) of what listeners heard against what was sent, in pieces of eight seconds.

Usage: quality.py NAME REFERENCE.wav HEARD.wav...   (48 kHz mono, 16 bit; what was heard may begin earlier or later)
Prints one JSON line: the mean over all, the lowest piece, how many pieces, and the mean of the worst listener.
"""

import json
import sys
from multiprocessing import Pool

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


def scores(files):
    reference, heard = read(files[0]), read(files[1])
    lag = lag_of(reference, heard)
    found = []
    for start in range(SETTLE_S * RATE, len(reference) - PIECE_S * RATE, PIECE_S * RATE):
        piece = reference[start : start + PIECE_S * RATE]
        came = heard[max(0, start + lag) : start + lag + PIECE_S * RATE]
        if len(came) == len(piece):
            found.append(pesq(RATE, piece, came, "wb"))
    if not found:
        sys.exit(f"nothing to compare: {files[1]} does not overlap")
    return found


if __name__ == "__main__":
    name, sent, listeners = sys.argv[1], sys.argv[2], sys.argv[3:]
    with Pool() as processes:
        all_scores = processes.map(scores, [(sent, heard) for heard in listeners], chunksize=1)
    pieces = [score for found in all_scores for score in found]
    means = [sum(found) / len(found) for found in all_scores]
    figures = {"measured": name, "mean": sum(pieces) / len(pieces), "min": min(pieces), "pieces": len(pieces)}
    print(json.dumps({**figures, "listeners": len(means), "worst_mean": min(means)}))
