/**
 * The one error class that drivers, runtime and commands throw. It says what is wrong, which operation failed and what would mend it.
 * Machines never throw on bad input (see malformed.ts); a broken invariant is an AssertionError.
 */
export class TrimaranError extends Error {
  /** A stable name for programs, such as "NETLINK_REFUSED". */
  readonly code: string;
  /** One sentence that tells a person what to do; empty when nothing is known to help. */
  readonly remedy: string;

  constructor(code: string, message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TrimaranError';
    this.code = code;
    this.remedy = options.remedy ?? '';
  }
}
