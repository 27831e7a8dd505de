// Earlier questions, brought back with ↑ and ↓ as in a shell.

export class Recall {
  #at: number | null = null;
  #shown = "";

  /** The text to show instead of `text`, or null to leave the key alone. */
  move(step: -1 | 1, text: string, asked: string[]): string | null {
    if (this.#at === null ? text !== "" || step > 0 : text !== this.#shown) return null;
    const from = this.#at ?? asked.length;
    let to = from + step;
    // The same question twice in a row is one step.
    while (asked[to] !== undefined && asked[to] === this.#shown) to += step;
    if (to < 0) return null;
    if (to >= asked.length) {
      this.reset();
      return "";
    }
    this.#at = to;
    this.#shown = asked[to]!;
    return this.#shown;
  }

  reset(): void {
    this.#at = null;
    this.#shown = "";
  }
}
