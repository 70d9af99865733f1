/** Drives one transaction through virtual time and writes down what it does, one line each: "500 send INVITE". */
import type { Instant } from '../../../base/instant.ts';
import type { Machine } from '../../../base/machine.ts';

type Written = { readonly kind: string; readonly octets?: Uint8Array };

export class TransactionLog<Input, Output extends Written> {
  readonly #machine: Machine<Input, Output>;
  #lines: string[] = [];
  #now: Instant = 0;

  constructor(machine: Machine<Input, Output>) {
    this.#machine = machine;
    this.#drain();
  }

  /** Lets time pass until `at`, then gives the input. */
  input(at: Instant, input: Input): this {
    this.run(at);
    this.#machine.handleInput(input, at);
    this.#drain();
    return this;
  }

  run(until: Instant): this {
    for (
      let next = this.#machine.pollTimeout();
      next !== undefined && next.at <= until;
      next = this.#machine.pollTimeout()
    ) {
      this.#now = next.at;
      this.#machine.handleTimeout(next.at);
      this.#drain();
    }
    this.#now = until;
    return this;
  }

  /** What was written since the last call. */
  take(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  #drain(): void {
    for (let output = this.#machine.pollOutput(); output !== undefined; output = this.#machine.pollOutput())
      this.#lines.push(
        `${this.#now} ${output.kind}${output.octets === undefined ? '' : ` ${nameOf(output.octets)}`}`,
      );
  }
}

/** The method of a request, the status code of a response. */
function nameOf(octets: Uint8Array): string {
  const [first, second] = Buffer.from(octets).toString('latin1').split(' ', 2);
  return (first === 'SIP/2.0' ? second : first) ?? '';
}
