// One thing is read aloud at a time: a sound that is whole, or one that still comes in pieces.

interface Coming {
  /** What can be played while more comes; null where only the whole can. */
  source: MediaSource | null;
  /** Take a piece; gives those that are not played yet. */
  take(piece: BlobPart, last: boolean): BlobPart[];
}

/** A sound that comes in pieces: heard from the first one on where the browser can, else when all are there. */
function coming(mime: string): Coming {
  const source = window.MediaSource?.isTypeSupported(mime) ? new MediaSource() : null;
  const pieces: BlobPart[] = [];
  let buffer: SourceBuffer | undefined;
  let ended = false;
  const feed = () => {
    if (!buffer || buffer.updating || source!.readyState !== "open") return;
    const piece = pieces.shift();
    if (piece) buffer.appendBuffer(piece as BufferSource);
    else if (ended) source!.endOfStream();
  };
  source?.addEventListener("sourceopen", () => {
    if (buffer) return;
    buffer = source.addSourceBuffer(mime);
    buffer.onupdateend = feed;
    feed();
  });
  return {
    source,
    take(piece, last) {
      pieces.push(piece);
      ended = last;
      feed();
      return pieces;
    },
  };
}

export class Player {
  /** Key of the turn that is heard, or is about to be. */
  playing: string | null = null;
  #audio: HTMLAudioElement | null = null;
  /** Sounds that are still coming, by key of their turn. */
  readonly #coming = new Map<string, Coming>();

  constructor(private readonly changed: () => void) {}

  /** Rejects where the browser does not allow it without a click, or cannot play it. */
  async play(key: string, sound: Blob | MediaSource): Promise<void> {
    this.stop();
    const audio = (this.#audio = new Audio(URL.createObjectURL(sound)));
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

  /** Take a piece; gives the promise of `play` with the one that it begins with. */
  piece(key: string, type: string, last: boolean, bytes: BlobPart): Promise<void> | null {
    const known = this.#coming.get(key);
    const sound = known ?? coming(type);
    if (last) this.#coming.delete(key);
    else this.#coming.set(key, sound);
    const pieces = sound.take(bytes, last);
    if (sound.source) return known ? null : this.play(key, sound.source);
    return last ? this.play(key, new Blob(pieces)) : null;
  }

  stop(): void {
    if (this.#audio) {
      this.#audio.pause();
      URL.revokeObjectURL(this.#audio.src);
    }
    this.#audio = null;
    this.#set(null);
  }

  #set(key: string | null): void {
    if (this.playing === key) return;
    this.playing = key;
    this.changed();
  }
}
