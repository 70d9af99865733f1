/**
 * What is recorded of every signalling message that a network function sends or receives, in one shape for all roles and both hosts
 * (runtime and sim). Entries of one machine can be merged by `at`; as lines of JSON they are the trace file of the lab.
 */
import type { Instant } from './instant.ts';

export interface TraceEntry {
  /** CLOCK_MONOTONIC of the machine, or virtual time; milliseconds. */
  readonly at: Instant;
  /** Who recorded it, such as "trim-as". */
  readonly node: string;
  readonly direction: 'sent' | 'received';
  readonly protocol: 'sip' | 'diameter' | 'mobile-ip';
  readonly transport: 'udp' | 'tcp';
  /** Transport addresses as text, such as "192.0.2.1:5060". */
  readonly from: string;
  readonly to: string;
  /** One line: "INVITE sip:bob@home.example", "200 OK (INVITE)", "NCR", "NCA 2001", "RRQ 192.0.2.7", "RRP 0". */
  readonly summary: string;
  /** What tells this message from others: Call-ID, CSeq, branch; Session-Id, Hop-by-Hop identifier; Identification. */
  readonly details: Readonly<Record<string, string>>;
}
