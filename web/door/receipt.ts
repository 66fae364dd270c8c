// What the page shows for having been sent the program: a code, keyed by its pass, over the number and the
// last bytes of the newest part. It goes with a request that is made anyhow, so that the node counts who
// hears and not what it sent.

/** Of the end of a part so many bytes are shown to be held. */
const TAIL_BYTES = 16;
const CODE_BYTES = 16;
/** A box's size and name. */
const BOX_BYTES = 8;
/** `moof` begins with `mfhd`, whose last field is the fragment's number. */
const NUMBER_AT = 20;
const MOOF = 0x6d6f6f66;
const MDAT = 0x6d646174;

export class Receipt {
  /** The beginning of the present box. */
  private readonly head = new DataView(new ArrayBuffer(NUMBER_AT + 4));
  private seen = 0;
  private number = 0;
  private tail = new Uint8Array(0);
  private newest: { number: number; tail: Uint8Array } | undefined;

  /** Another connection begins, with a box of its own. */
  restart(): void {
    this.seen = 0;
    this.tail = new Uint8Array(0);
  }

  /** Bytes of fragmented MP4 came. */
  take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const size = this.seen < BOX_BYTES ? BOX_BYTES : this.head.getUint32(0);
      if (size < BOX_BYTES) return;
      const piece = bytes.subarray(at, at + size - this.seen);
      for (let i = 0; i < piece.length && this.seen + i < this.head.byteLength; i++)
        this.head.setUint8(this.seen + i, piece[i]!);
      this.tail = new Uint8Array([...this.tail, ...piece.subarray(-TAIL_BYTES)].slice(-TAIL_BYTES));
      this.seen += piece.length;
      at += piece.length;
      if (this.seen >= BOX_BYTES && this.seen === this.head.getUint32(0)) this.ends();
    }
  }

  /** The header that shows it, once for each part; nothing where there is none, or no way to make one. */
  async header(pass: string): Promise<Record<string, string>> {
    const { newest } = this;
    const { subtle } = crypto; // Browsers have it where nobody on the way can listen.
    if (!newest || !pass || !subtle) return {};
    this.newest = undefined;
    const hmac = { name: 'HMAC', hash: 'SHA-256' };
    const message = new Uint8Array([0, 0, 0, 0, ...newest.tail]);
    new DataView(message.buffer).setUint32(0, newest.number);
    const key = await subtle.importKey('raw', new TextEncoder().encode(pass), hmac, false, ['sign']);
    const code = new Uint8Array(await subtle.sign('HMAC', key, message)).subarray(0, CODE_BYTES);
    const text = btoa(String.fromCharCode(...code))
      .replace(/\+/g, '-')
      .replace(/\//g, '_')
      .replace(/=/g, '');
    return { 'tribune-heard': `${newest.number} ${text} ${pass}` };
  }

  private ends(): void {
    const name = this.head.getUint32(4);
    if (name === MOOF) this.number = this.head.getUint32(NUMBER_AT);
    if (name === MDAT) this.newest = { number: this.number, tail: this.tail };
    this.seen = 0;
  }
}
