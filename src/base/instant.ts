/**
 * Time as every machine sees it: an argument, never a clock that it reads.
 * An instant counts milliseconds (fractions allowed) from an origin that the driver chose; only differences mean anything.
 */
export type Instant = number;

/** A span between two instants, in milliseconds. */
export type DurationMs = number;
