/**
 * The journal that lets no confirmed binding be lost: one line of JSON per change, each with the whole record of one mobile node, so that
 * the last line for a home address is what counts and nothing has to be undone. A line that a crash tore never led to a reply. Instants
 * mean nothing after a restart, so times are those of the day.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import type { Binding, FlowRule, MobilityRecord } from './mobility-record.ts';

interface JournalLine {
  readonly homeAddress: string;
  readonly bindings: readonly (Omit<Binding, 'identification' | 'expiresAt' | 'bindingId'> & {
    readonly bindingId?: number;
    readonly identification: string;
    /** Milliseconds since 1970. */
    readonly expires: number;
  })[];
  readonly flows: readonly FlowRule[];
  readonly flowsIdentification?: string;
  readonly floor?: string;
  readonly paths: readonly (readonly [string, string])[];
}

/** Without a line feed. */
export function formatJournalLine(record: MobilityRecord, timeOfDayOffsetMs: DurationMs): string {
  const { homeAddress, flows, flowsIdentification, replay } = record;
  const line: JournalLine = {
    homeAddress,
    bindings: record.bindings.map(({ identification, expiresAt, bindingId, ...rest }) => ({
      ...rest,
      ...(bindingId !== undefined && { bindingId }),
      identification: String(identification),
      expires: expiresAt + timeOfDayOffsetMs,
    })),
    flows,
    ...(flowsIdentification !== undefined && { flowsIdentification: String(flowsIdentification) }),
    ...(replay.floor !== undefined && { floor: String(replay.floor) }),
    paths: [...replay.paths].map(([path, last]) => [path, String(last)] as const),
  };
  return JSON.stringify(line);
}

/** undefined: torn, or not ours. */
export function parseJournalLine(text: string, timeOfDayOffsetMs: DurationMs): MobilityRecord | undefined {
  try {
    return toRecord(JSON.parse(text) as JournalLine, timeOfDayOffsetMs);
  } catch {
    return undefined;
  }
}

/** The last record of each home address, without bindings that have run out; and the numbers of the lines that cannot be read. */
export function replayJournal(
  lines: readonly string[],
  timeOfDayOffsetMs: DurationMs,
): { readonly records: ReadonlyMap<string, MobilityRecord>; readonly damaged: readonly number[] } {
  const records = new Map<string, MobilityRecord>();
  const damaged: number[] = [];
  lines.forEach((text, index) => {
    const record = parseJournalLine(text, timeOfDayOffsetMs);
    if (record !== undefined) records.set(record.homeAddress, record);
    else if (index < lines.length - 1) damaged.push(index + 1);
  });
  return { records, damaged };
}

function toRecord(line: JournalLine, timeOfDayOffsetMs: DurationMs): MobilityRecord {
  return {
    homeAddress: line.homeAddress,
    bindings: line.bindings.map(({ identification, expires, bindingId, ...rest }) => ({
      ...rest,
      bindingId,
      identification: BigInt(identification),
      expiresAt: (expires - timeOfDayOffsetMs) as Instant,
    })),
    flows: line.flows,
    ...(line.flowsIdentification !== undefined && { flowsIdentification: BigInt(line.flowsIdentification) }),
    replay: {
      ...(line.floor !== undefined && { floor: BigInt(line.floor) }),
      paths: new Map(line.paths.map(([path, last]) => [path, BigInt(last)])),
    },
  };
}
