// Put into the page before anything else: keeps what the browser says to kernels and hears from them,
// every byte as text, so that a test can look for what must not be there; and counts sounds that were played.
// `again` forgets all, for the page's next notebook.
(() => {
  let wire;
  window.again = () => {
    wire = window.wire = { received: [], sent: [], plays: 0 };
  };
  window.again();
  const decoder = new TextDecoder();

  // A kernel message in binary form: count of offsets, offsets, then channel, header, parent, metadata, content …
  const note = (list, data) => {
    if (typeof data === "string") return void list.push({ kind: "text", content: data });
    const bytes = data instanceof ArrayBuffer ? data : data.buffer;
    const view = new DataView(bytes);
    const at = (i) => Number(view.getBigUint64(8 * (i + 1), true));
    const part = (i) => decoder.decode(bytes.slice(at(i), at(i + 1)));
    let kind = "";
    try {
      kind = JSON.parse(part(1)).msg_type;
    } catch {
      // not in that form, as after a connection that had to be made twice: kept as it is
    }
    const all = decoder.decode(bytes);
    list.push({ kind, content: kind ? part(4) : all, all });
  };

  const Native = window.WebSocket;
  const slot = Object.getOwnPropertyDescriptor(Native.prototype, "onmessage");
  window.WebSocket = class extends Native {
    get onmessage() {
      return slot.get.call(this);
    }
    set onmessage(handler) {
      slot.set.call(this, (event) => {
        note(wire.received, event.data);
        return handler.call(this, event);
      });
    }
    send(data) {
      note(wire.sent, data);
      super.send(data);
    }
  };

  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    wire.plays++;
    return play.call(this);
  };
})();
