// One thing is read aloud at a time: a sound that is whole, or one that came in pieces, once all of them are there.

export class Player {
  /** Key of the turn that is heard, or is about to be. */
  playing: string | null = null;
  #audio: HTMLAudioElement | null = null;
  /** Pieces of sounds that are still coming, by key of their turn. */
  readonly #pieces = new Map<string, BlobPart[]>();

  constructor(private readonly changed: () => void) {}

  /** Rejects where the browser does not allow it without a click, or cannot play it. */
  async play(key: string, mime: string, ...bytes: BlobPart[]): Promise<void> {
    this.stop();
    const audio = (this.#audio = new Audio(URL.createObjectURL(new Blob(bytes, { type: mime }))));
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

  /** Take a piece; gives the promise of `play` with the last one. */
  piece(key: string, mime: string, last: boolean, bytes: BlobPart): Promise<void> | null {
    const pieces = [...(this.#pieces.get(key) ?? []), bytes];
    if (last) this.#pieces.delete(key);
    else this.#pieces.set(key, pieces);
    return last ? this.play(key, mime, ...pieces) : null;
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
