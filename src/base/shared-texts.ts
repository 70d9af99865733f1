/** Texts of which there are few and that many things keep, such as a server's own addresses: one copy of each serves all. */
export class SharedTexts {
  readonly #maximum: number;
  readonly #texts = new Map<string, string>();

  /** Beyond `maximum` different texts, each that comes is its own copy. */
  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  share(text: string): string {
    const known = this.#texts.get(text);
    if (known === undefined && this.#texts.size < this.#maximum) this.#texts.set(text, text);
    return known ?? text;
  }
}
