"""A speaker by aiortc: offers a tone by WHIP and sends it until it is killed.

    python3 aiortc_speaker.py WHIP_URL KEY HZ [RELAY]

RELAY, as host:port, stands in for the node's addresses; then it also says that it takes requests for lost packets.
"""

import array
import asyncio
import fractions
import math
import re
import sys
import urllib.request

from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from av import AudioFrame

RATE_HZ = 48_000
FRAME_SAMPLES = 960


class Tone(MediaStreamTrack):
    """20 ms of a sine at a time, each when it is due."""

    kind = "audio"

    def __init__(self, hz):
        super().__init__()
        self.hz, self.at, self.began = hz, 0, None

    async def recv(self):
        now = asyncio.get_event_loop().time()
        self.began = now if self.began is None else self.began
        await asyncio.sleep(max(0.0, self.began + self.at / RATE_HZ - now))
        turns = (self.hz * (self.at + n) / RATE_HZ for n in range(FRAME_SAMPLES))
        samples = array.array("h", (int(6_500 * math.sin(2 * math.pi * turn)) for turn in turns))
        frame = AudioFrame(format="s16", layout="mono", samples=FRAME_SAMPLES)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self.at, fractions.Fraction(1, RATE_HZ)
        self.at += FRAME_SAMPLES
        return frame


async def speak(url, key, hz, relay=None):
    connection = RTCPeerConnection()
    connection.addTransceiver(Tone(hz), direction="sendonly")
    await connection.setLocalDescription(await connection.createOffer())
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/sdp"}
    text = connection.localDescription.sdp
    if relay:
        text = re.sub(r"(a=rtpmap:(\d+) opus/48000/2\r\n)", r"\1a=rtcp-fb:\2 nack\r\n", text)
    offer = urllib.request.Request(url, text.encode(), headers)
    with urllib.request.urlopen(offer) as answer:
        sdp = answer.read().decode()
    if relay:
        host, port = relay.split(":")
        sdp = re.sub(r"(a=candidate:\S+ \d+ udp \d+) \S+ \d+", rf"\1 {host} {port}", sdp)
    await connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
    await asyncio.Event().wait()


asyncio.run(speak(sys.argv[1], sys.argv[2], float(sys.argv[3]), *sys.argv[4:]))
