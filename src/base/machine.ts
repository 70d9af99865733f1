/**
 * The contract of every sans-IO machine of the project (ARCHITECTURE.md, "Machines").
 *
 * A machine is a function of its inputs, the instants handed to it and the random source it was built with. After each `handle…`
 * call (and after each request made by another method) the owner drains `pollOutput` until it yields `undefined`, then asks
 * `pollTimeout` when to call `handleTimeout` next. Machines compose by being polled by their parent.
 */
import type { Instant } from './instant.ts';

/** When a machine next wants to be woken, and why (the reason is for traces and for tests). */
export interface Timeout {
  readonly at: Instant;
  readonly reason: string;
}

export interface Machine<Input, Output> {
  handleInput(input: Input, now: Instant): void;
  handleTimeout(now: Instant): void;
  pollOutput(): Output | undefined;
  pollTimeout(): Timeout | undefined;
}

/** The earlier of two deadlines; the first wins a tie so that the result does not depend on who asks. */
export function earlierTimeout(a: Timeout | undefined, b: Timeout | undefined): Timeout | undefined {
  if (a === undefined) return b;
  if (b === undefined) return a;
  return b.at < a.at ? b : a;
}
