// One thing is read aloud at a time: a sound that is whole, or pieces as they come.

export class Player {
  /** Key of the turn that is heard, or is about to be. */
  playing: string | null = null;
  #audio: HTMLAudioElement | null = null;
  #stream: Stream | null = null;

  constructor(private readonly changed: () => void) {}

  /** Play a whole sound. */
  async play(key: string, mime: string, bytes: BlobPart): Promise<void> {
    const url = URL.createObjectURL(new Blob([bytes], { type: mime }));
    await this.#begin(key, url);
  }

  /** Take a piece of a sound that is still coming. */
  piece(key: string, mime: string, last: boolean, bytes: BlobPart): void {
    if (this.#stream?.key !== key) {
      this.#stream = new Stream(key, mime);
      const url = this.#stream.url;
      if (url) void this.#begin(key, url, this.#stream).catch(() => this.stop());
    }
    const stream = this.#stream;
    stream.add(bytes, last);
    if (!last || stream.url) return;
    this.#stream = null;
    void this.play(key, mime, stream.whole()).catch(() => this.stop());
  }

  stop(): void {
    this.#audio?.pause();
    if (this.#audio?.src) URL.revokeObjectURL(this.#audio.src);
    this.#audio = null;
    this.#stream = null;
    this.#set(null);
  }

  async #begin(key: string, url: string, stream: Stream | null = null): Promise<void> {
    this.stop();
    this.#stream = stream;
    const audio = (this.#audio = new Audio(url));
    audio.onended = audio.onerror = () => {
      if (this.#audio === audio) this.stop();
    };
    this.#set(key);
    try {
      await audio.play();
    } catch (error) {
      // Stopped before it began is no failure.
      if (this.#audio !== audio) return;
      this.stop();
      throw error;
    }
  }

  #set(key: string | null): void {
    if (this.playing === key) return;
    this.playing = key;
    this.changed();
  }
}

/** Pieces of one sound, fed to the browser as they come where it can take them so. */
class Stream {
  readonly url: string | null = null;
  readonly #pieces: BlobPart[] = [];
  readonly #source: MediaSource | null = null;
  #buffer: SourceBuffer | null = null;
  #fed = 0;
  #complete = false;

  constructor(
    readonly key: string,
    mime: string,
  ) {
    if (typeof MediaSource === "undefined" || !MediaSource.isTypeSupported(mime)) return;
    const source = (this.#source = new MediaSource());
    this.url = URL.createObjectURL(source);
    source.onsourceopen = () => {
      this.#buffer = source.addSourceBuffer(mime);
      this.#buffer.onupdateend = () => this.#feed();
      this.#feed();
    };
  }

  add(bytes: BlobPart, last: boolean): void {
    this.#pieces.push(bytes);
    this.#complete ||= last;
    this.#feed();
  }

  whole(): Blob {
    return new Blob(this.#pieces);
  }

  #feed(): void {
    if (!this.#buffer || this.#buffer.updating || this.#source?.readyState !== "open") return;
    const next = this.#pieces[this.#fed];
    if (next) {
      this.#fed++;
      this.#buffer.appendBuffer(next as BufferSource);
    } else if (this.#complete) this.#source.endOfStream();
  }
}
