/**
 * What the media programs of the lab are told and what they report, as data. They are ordinary programs that know nothing of mobility
 * (TRIM §4: the video stream of fig. 8, the TCP flow of fig. 9, besides a call and an interactive session). Instants are those of the
 * monotonic clock, which all processes of the machine share.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import type { TransportAddress } from '../../base/network.ts';
import type { StreamReport } from '../../protocols/rtp/stream-statistics.ts';
import type { MediaStreamKind } from './media-stream.ts';

/** How a TCP program gets its one connection, and what that controls congestion with (the system's default when absent). */
export type Opening = { readonly congestionControl?: string } & (
  | { readonly kind: 'connect'; readonly remote: TransportAddress; readonly local?: TransportAddress }
  | { readonly kind: 'listen'; readonly local: TransportAddress }
);

export interface MediaSettings {
  /** One end of a call: sends and receives on one socket. See media-stream.ts for the streams. */
  readonly rtp: {
    readonly local: TransportAddress;
    readonly remote: TransportAddress;
    readonly stream: MediaStreamKind;
    /** Of video; 1.5 Mbit/s by default. */
    readonly rateBitsPerSecond?: number;
    readonly seed: number;
  };
  /** One end of a bulk transfer; without a rate as fast as TCP goes. It ends when the sender is told to stop. */
  readonly bulk: {
    readonly opening: Opening;
    readonly role: 'sender' | 'receiver';
    readonly rateBitsPerSecond?: number;
    readonly seed: number;
  };
  /** One end of an ssh-like session: the typist sends keys at a person's pace, the other end echoes them. */
  readonly interactive: {
    readonly opening: Opening;
    readonly role: 'typist' | 'echo';
    readonly seed: number;
  };
  /** Records what passes the interfaces of a node, as tcpdump would. */
  readonly capture: {
    readonly interfaces: readonly string[];
    /** Where to write pcapng; nothing is written when absent. */
    readonly file?: string;
  };
}

export type MediaKind = keyof MediaSettings;

export interface MediaReports {
  readonly rtp: RtpReport;
  readonly bulk: BulkReport;
  readonly interactive: InteractiveReport;
  readonly capture: CaptureReport;
}

/** Packets and octets per interval of `intervalMs`, the first of which begins at `startsAt`. */
export interface Series {
  readonly startsAt: Instant;
  readonly intervalMs: DurationMs;
  readonly packets: readonly number[];
  readonly octets: readonly number[];
}

export interface RtpReport {
  readonly sent: number;
  readonly sentOctets: number;
  /** The most that a packet left after its due time: how much of a gap at the far end is the sender's own. */
  readonly latestSendMs: DurationMs;
  readonly received: readonly ReceivedStream[];
  /** Between two packets, in order of arrival; only those of 45 ms or more. */
  readonly gaps: readonly ArrivalGap[];
  /** Everybody who sent to this socket, "address:port". */
  readonly remotes: readonly string[];
  /** Of what was received; RTP packets with their header. */
  readonly series: Series;
}

export interface ArrivalGap {
  readonly ms: DurationMs;
  readonly endedAt: Instant;
}

export interface ReceivedStream extends StreamReport {
  readonly ssrc: number;
  /** One way, from the sender's clock to the receiver's: the same clock. */
  readonly delayMs: { readonly least: DurationMs; readonly most: DurationMs };
}

export interface BulkReport {
  readonly octets: number;
  /** SHA-256 over all octets in order. */
  readonly checksum: string;
  readonly local: string;
  readonly remote: string;
  /** Why the connection ended: "finished" is the only good one. */
  readonly ending: string;
  /** Longest time without progress: no octet arrived (receiver), none was acknowledged though some were out (sender). */
  readonly longestStallMs: DurationMs;
  readonly longestStallEndedAt: Instant;
  /** The 64 longest of 10 ms or more, in order of time. */
  readonly stalls: readonly ArrivalGap[];
  readonly retransmittedSegments: number;
  readonly retransmissionTimeouts: number;
  /** Of octets received (receiver) or acknowledged (sender). */
  readonly series: Series;
}

export interface InteractiveReport {
  readonly keys: number;
  /** Keys whose echo came back, in order and unchanged. */
  readonly echoed: number;
  readonly roundTripMs: { readonly median: DurationMs; readonly most: DurationMs };
  readonly local: string;
  readonly remote: string;
  readonly ending: string;
}

export interface CaptureReport {
  readonly flows: readonly CapturedFlow[];
  /** Frames that the limit of the file kept out of it; they are counted in the flows all the same. */
  readonly missed: number;
}

export interface CapturedFlow {
  readonly interface: string;
  readonly protocol: 'udp' | 'tcp';
  /** "address:port" */
  readonly source: string;
  readonly destination: string;
  readonly packets: number;
  readonly octets: number;
  readonly firstAt: Instant;
  readonly lastAt: Instant;
  readonly series: Series;
}

/** From the lab to a program. */
export type MediaCommand =
  /** To RTP programs only: TCP programs send once they are connected. */
  | { readonly kind: 'start-sending' }
  /** To RTP programs only: the session says that the peer is there now. */
  | { readonly kind: 'send-to'; readonly remote: TransportAddress }
  /** What is on its way may still arrive. */
  | { readonly kind: 'stop-sending' }
  | { readonly kind: 'finish' };

/** From a program to the lab. Progress comes four times a second. */
export type MediaMessage<Kind extends MediaKind = MediaKind> =
  | { readonly kind: 'ready'; readonly local: TransportAddress | undefined }
  /** `hasStopped`: it was told to stop sending before, so what it has sent is final. */
  | { readonly kind: 'progress'; readonly report: MediaProgress<Kind>; readonly hasStopped: boolean }
  | { readonly kind: 'report'; readonly report: MediaReports[Kind] };

/** A report without what grows with time. */
export type MediaProgress<Kind extends MediaKind> = Omit<MediaReports[Kind], 'series' | 'gaps' | 'stalls'>;
