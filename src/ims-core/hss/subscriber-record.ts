/**
 * What changes in an HSS for each of its users: which S-CSCF serves him, whether he is registered (TS 29.228 §6.1, TS 23.008 §3), and
 * the sequence number of his USIM's challenges. A line of the journal is one whole record, so that the last one for a user is what counts.
 */

export interface SubscriberRecord {
  /** 'unregistered': an S-CSCF serves the user though nobody is registered. */
  readonly state: 'not-registered' | 'registered' | 'unregistered';
  /** The S-CSCF's SIP URI; also set between the challenge and the registration. */
  readonly serverName?: string;
  /** The S-CSCF's Diameter identity, to which requests of the HSS go. */
  readonly serverHost?: string;
  /** SQN of the last AKA vector that was made (TS 33.102 §6.3.2). */
  readonly sequenceNumber?: number;
}

const blank: SubscriberRecord = { state: 'not-registered' };

export class SubscriberRecords {
  readonly #records = new Map<string, SubscriberRecord>();

  get(privateIdentity: string): SubscriberRecord {
    return this.#records.get(privateIdentity) ?? blank;
  }

  set(privateIdentity: string, record: SubscriberRecord): void {
    const { state, serverName, sequenceNumber } = record;
    const isBlank = state === 'not-registered' && serverName === undefined && sequenceNumber === undefined;
    if (isBlank) this.#records.delete(privateIdentity);
    else this.#records.set(privateIdentity, record);
  }

  delete(privateIdentity: string): void {
    this.#records.delete(privateIdentity);
  }

  get identities(): readonly string[] {
    return [...this.#records.keys()];
  }

  /** Users with a record, by state. */
  count(state: SubscriberRecord['state']): number {
    return [...this.#records.values()].filter((record) => record.state === state).length;
  }

  /** Takes over what a journal says; returns the numbers of lines that cannot be read, but for the last, which a crash may have torn. */
  replay(lines: readonly string[]): readonly number[] {
    return lines.flatMap((text, index) => {
      const line = parseLine(text);
      if (line !== undefined) this.set(line.privateIdentity, line.record);
      return line === undefined && index < lines.length - 1 ? [index + 1] : [];
    });
  }

  /** The journal as short as it can be. */
  snapshot(): readonly string[] {
    return [...this.#records].map(([privateIdentity, record]) => formatLine(privateIdentity, record));
  }
}

/** Without a line feed. */
export function formatLine(privateIdentity: string, record: SubscriberRecord): string {
  return JSON.stringify({ privateIdentity, record });
}

function parseLine(
  text: string,
): { readonly privateIdentity: string; readonly record: SubscriberRecord } | undefined {
  try {
    const line = JSON.parse(text);
    const isComplete = typeof line?.privateIdentity === 'string' && typeof line.record?.state === 'string';
    return isComplete ? line : undefined;
  } catch {
    return undefined;
  }
}
