// Put into the page before anything else: loses a share of the live view's messages on their way into
// the page, as a busy server would, and notes twice in a tenth of a second which numbered words the
// reader sees. `LOSS` and `SEED` are set in front of this text. `again` forgets all, for the page's next notebook.
(() => {
  let state;
  let seed;
  window.again = () => {
    state = window.wiretap = { passed: 0, lost: 0, bytes: 0, samples: [] };
    seed = SEED;
  };
  window.again();
  const random = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };

  // A kernel message in binary form: count of offsets, offsets, then header, parent, metadata, content …
  const content = (data) => {
    if (typeof data === "string") return data;
    const view = new DataView(data);
    const offset = (i) => Number(view.getBigUint64(8 * (i + 1), true));
    return new TextDecoder().decode(data.slice(offset(4), offset(5)));
  };
  const loses = (data) => {
    const text = content(data);
    if (!text.includes('"method":') || !/"(ops|packed)":/.test(text)) return false;
    const lost = random() < LOSS;
    lost ? state.lost++ : state.passed++;
    state.bytes += typeof data === "string" ? data.length : data.byteLength;
    return lost;
  };

  const Native = window.WebSocket;
  const slot = Object.getOwnPropertyDescriptor(Native.prototype, "onmessage");
  window.WebSocket = class extends Native {
    get onmessage() {
      return slot.get.call(this);
    }
    set onmessage(handler) {
      slot.set.call(this, (event) => loses(event.data) || handler.call(this, event));
    }
  };

  setInterval(() => {
    for (const el of document.querySelectorAll(".jp-OutputArea-output *")) {
      if (!el.shadowRoot) continue;
      const seen = [...el.shadowRoot.children].filter((e) => e.localName !== "style").map((e) => e.textContent);
      const words = [...seen.join(" ").matchAll(/w(\d+)/g)].map((match) => Number(match[1]));
      const whole = words.every((word, index) => word === index + 1);
      state.samples.push({ words: words.length, whole });
    }
  }, 50);
})();
