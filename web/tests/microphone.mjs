// The microphone of a test's page.

/**
 * Runs in the page before its own scripts: lets a test see the microphone that is in use (`track`), how often
 * one was asked for (`asked`), pull it out (`pull`), and leave none to be found (`bare`).
 */
export function pullable() {
  const { mediaDevices } = navigator;
  const ask = mediaDevices.getUserMedia.bind(mediaDevices);
  mediaDevices.getUserMedia = async (wanted) => {
    if (window.bare) throw new DOMException('none', 'NotFoundError');
    const stream = await ask(wanted);
    window.asked = (window.asked ?? 0) + 1;
    [window.track] = stream.getAudioTracks();
    window.pull = () => {
      window.track.stop();
      window.track.dispatchEvent(new Event('ended'));
    };
    return stream;
  };
}
