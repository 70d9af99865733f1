/**
 * Tells when the segments of TCP connections that wait follow directly on those that came another way (RFC 9293 §3.4): once the last octet
 * ahead of the first that waits has come, nothing can be overtaken any more. A last segment that is lost on the way is never seen here.
 */

export interface TcpSegmentPlace {
  /** The same whichever way the segment comes. */
  readonly connection: string;
  /** Modulo 2^32. */
  readonly sequence: number;
  /** Octets in sequence space: payload, and one each for SYN and FIN. */
  readonly length: number;
}

interface Progress {
  /** First octet that waits. */
  waitsFrom: number | undefined;
  /** The octet behind the last that came. */
  cameTo: number | undefined;
}

export class SegmentSequence {
  readonly #connections = new Map<string, Progress>();
  #isOverfull = false;

  /** True for each connection that was seen: what waits is next. False where nothing waits. */
  get isComplete(): boolean {
    if (this.#connections.size === 0 || this.#isOverfull) return false;
    for (const { waitsFrom, cameTo } of this.#connections.values())
      if (waitsFrom === undefined || cameTo === undefined || isBefore(cameTo, waitsFrom)) return false;
    return true;
  }

  waits({ connection, sequence }: TcpSegmentPlace): void {
    const progress = this.#progressOf(connection);
    if (progress !== undefined) progress.waitsFrom ??= sequence;
  }

  came({ connection, sequence, length }: TcpSegmentPlace): void {
    const progress = this.#progressOf(connection);
    const end = (sequence + length) >>> 0;
    if (progress === undefined) return;
    if (progress.cameTo === undefined || isBefore(progress.cameTo, end)) progress.cameTo = end;
  }

  clear(): void {
    this.#connections.clear();
    this.#isOverfull = false;
  }

  #progressOf(connection: string): Progress | undefined {
    const known = this.#connections.get(connection);
    if (known !== undefined) return known;
    this.#isOverfull ||= this.#connections.size >= maximumConnections;
    if (this.#isOverfull) return undefined;
    const progress = { waitsFrom: undefined, cameTo: undefined };
    this.#connections.set(connection, progress);
    return progress;
  }
}

/** As many as a browser opens to a few servers; beyond, order is told in another way. */
const maximumConnections = 64;

function isBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}
