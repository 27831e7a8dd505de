// The microphone: records until told to stop.

const KINDS = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus", "audio/webm"];

/** Whether this page may record at all. */
export const canRecord = (): boolean =>
  typeof MediaRecorder !== "undefined" && typeof navigator.mediaDevices?.getUserMedia === "function";

export class Voice {
  private constructor(
    private readonly recorder: MediaRecorder,
    private readonly stream: MediaStream,
    private readonly parts: Blob[],
  ) {}

  /** Ask for the microphone and begin; rejects when the reader or the page does not allow it. */
  static async begin(): Promise<Voice> {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const mimeType = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));
    const recorder = new MediaRecorder(stream, mimeType ? { mimeType } : {});
    const parts: Blob[] = [];
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.start(250);
    return new Voice(recorder, stream, parts);
  }

  /** End, and give what was said. */
  async end(): Promise<{ mime: string; bytes: ArrayBuffer }> {
    const ended = new Promise((resolve) => (this.recorder.onstop = resolve));
    this.recorder.stop();
    await ended;
    this.#release();
    const mime = this.recorder.mimeType.split(";")[0] || "audio/webm";
    return { mime, bytes: await new Blob(this.parts).arrayBuffer() };
  }

  /** End, and forget what was said. */
  cancel(): void {
    this.recorder.onstop = null;
    if (this.recorder.state !== "inactive") this.recorder.stop();
    this.#release();
  }

  #release(): void {
    for (const track of this.stream.getTracks()) track.stop();
  }
}
