// The microphone: records until told to stop. What browsers record (webm, mp4) Dify 1.12 refuses, so a WAV is made of it.

/** Samples in a second of the WAV. */
const RATE = 16_000;

/** A recording that goes on. */
export interface Voice {
  /** End, and give what was said: a WAV, or the recording as it is where the browser cannot read it. */
  end(): Promise<{ mime: string; bytes: ArrayBuffer }>;
  /** End, and forget what was said. */
  cancel(): void;
}

/** Whether this page may record at all. */
export const canRecord = (): boolean =>
  typeof MediaRecorder !== "undefined" && typeof navigator.mediaDevices?.getUserMedia === "function";

/** Ask for the microphone and begin; rejects when the reader or the page does not allow it. */
export async function record(): Promise<Voice> {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = new MediaRecorder(stream);
  const parts: Blob[] = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.start(250);
  const cancel = () => {
    if (recorder.state !== "inactive") recorder.stop();
    for (const track of stream.getTracks()) track.stop();
  };
  return {
    cancel,
    async end() {
      const ended = new Promise((resolve) => (recorder.onstop = resolve));
      cancel();
      await ended;
      const recording = new Blob(parts);
      try {
        const context = new OfflineAudioContext(1, 1, RATE);
        const sound = await context.decodeAudioData(await recording.arrayBuffer());
        return { mime: "audio/wav", bytes: wav(sound.getChannelData(0)) };
      } catch {
        return { mime: recorder.mimeType, bytes: await recording.arrayBuffer() };
      }
    },
  };
}

/** One channel of samples, -1 to 1, as a WAV of 16 bits. (It has to be little-endian, as all is that browsers run on.) */
export function wav(samples: Float32Array): ArrayBuffer {
  const size = 2 * samples.length;
  const bytes = new ArrayBuffer(44 + size);
  // RIFF, size, WAVE, "fmt ", its size, PCM in one channel, samples and bytes in a second, 2 bytes of 16 bits, data, size
  new Uint32Array(bytes, 0, 11).set([
    0x46464952, 36 + size, 0x45564157, 0x20746d66, 16, 0x10001, RATE, 2 * RATE, 0x100002, 0x61746164, size,
  ]);
  new Int16Array(bytes, 44).set(samples.map((value) => Math.max(-1, Math.min(1, value)) * 32767));
  return bytes;
}
