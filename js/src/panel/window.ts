// Which turns of a long conversation are drawn: the end, and more as the reader goes up.

/** Turns that are drawn at first, and with each step up. */
export const FIRST = 12;
export const STEP = 4;

export class Window {
  /** Key of the first turn that is drawn. */
  #key: string | undefined;
  /** Whether it was the very first of all. */
  #whole = true;

  /** Index of the first turn to draw. It stays the same turn while others come; older ones that were asked for show. */
  first(keys: string[]): number {
    let at = this.#key === undefined ? -1 : keys.indexOf(this.#key);
    if (at < 0) at = Math.max(0, keys.length - FIRST);
    else if (at > 0 && this.#whole) at = Math.max(0, at - STEP);
    this.#set(keys, at);
    return at;
  }

  /** Draw some more above. */
  up(keys: string[]): void {
    this.#set(keys, Math.max(0, this.first(keys) - STEP));
  }

  #set(keys: string[], at: number): void {
    this.#key = keys[at];
    this.#whole = at === 0;
  }
}
