/**
 * A scenario of the lab (TRIM §4.3, fig. 7–9; MIP–SIP §4, fig. 3): access networks, flows and what happens when, the same for both runners
 * (kernel and virtual time). Instants count from the moment when all sessions are up and traffic starts. scenario-source.ts says how it is written.
 */
import type { AccessProfile } from '../access-network/access-profiles.ts';
import type { DurationMs } from '../base/instant.ts';
import type { AccessPolicyOptions } from '../mobile-node/access-selection/access-policy.ts';
import type { TunnelEncapsulation } from '../protocols/mobile-ip/tunnel-state.ts';
import type { LabAccess, LabArchitecture } from './lab-topology.ts';

/** `rtp-audio`: G.711; `rtp-g723`: 5.3 kbit/s; `rtp-video`: 1.5 Mbit/s of variable rate; `tcp-limited`: TRIM fig. 9; `tcp-interactive`: as ssh. */
export const flowKinds = [
  'rtp-audio',
  'rtp-g723',
  'rtp-video',
  'tcp-limited',
  'tcp-unlimited',
  'tcp-interactive',
] as const;
export const linkShapers = ['auto', 'emulator', 'netem'] as const;
export const cscfs = ['p-cscf', 'i-cscf', 's-cscf'] as const;
export const coreMakers = ['trimaran', 'kamailio'] as const;
/** `md5`: the HSS hands out passwords, as Kamailio's "Digest-MD5" wants them; `sip-digest`: HA1 (TS 29.228 §6.3); `aka`: vectors for USIMs. */
export const authentications = ['sip-digest', 'md5', 'aka'] as const;

export type FlowKind = (typeof flowKinds)[number];

/** What moves a flow: a TRIM session, re-INVITE to the peer itself, or the home address (MIP–SIP §3). */
export type FlowCarrier = 'trim' | 'sip' | 'mobile-ip';

export interface ScenarioFlow {
  readonly name: string;
  readonly kind: FlowKind;
  readonly carrier: FlowCarrier;
  /** Where data go; an interactive session always has both directions and is opened by the mobile node. */
  readonly direction: 'both' | 'to-mobile-node' | 'to-correspondent';
  readonly rateBitsPerSecond: number | undefined;
}

export interface TimelineStep {
  readonly atMs: DurationMs;
  readonly action:
    | { readonly kind: 'up' | 'down'; readonly access: string }
    | { readonly kind: 'handover'; readonly access: string }
    /** The link takes another profile in place; nobody is told but who watches the run. */
    | {
        readonly kind: 'change';
        readonly access: string;
        readonly profile: AccessProfile;
        readonly note: string | undefined;
      };
}

export interface ScenarioAccess extends LabAccess {
  readonly startsUp: boolean;
}

/** How the mobile node chooses: in an order that is written down, or by the policy of the MIP–SIP paper. */
export type ScenarioPolicy =
  | { readonly kind: 'preference'; readonly order: readonly string[] }
  | {
      readonly kind: 'utility';
      readonly historyWindow: number;
      readonly jitterWeight: number;
      readonly options: AccessPolicyOptions;
    };

export interface MobileIpSettings {
  readonly encapsulation: TunnelEncapsulation;
  readonly probeIntervalMs: DurationMs;
  /** Unanswered probes in a row that make an access unusable. */
  readonly missedProbes: number;
  /** Who registers the SIP user: the node itself, the home agent's SIP proxy function (MIP–SIP §3), or nobody. */
  readonly registration: 'mobile-node' | 'home-agent' | 'none';
  /** The correspondent keeps bindings for its own packets (MIP–SIP §3, "and possibly to connected correspondent nodes"). */
  readonly routeOptimisation: boolean;
  /** One way, between the home link and all the rest. */
  readonly homeDelayMs: DurationMs;
}

export interface ScenarioExpectations {
  /** How many times sessions move to another access. */
  readonly handovers: { readonly least: number; readonly most: number };
  /** An access is taken away while it carries datagrams, or loses some by itself. */
  readonly mayLose: boolean;
  /** The accesses that carry the sessions, one after the other. */
  readonly visits: readonly string[] | undefined;
  /** The access no longer carries sessions this long after that instant. */
  readonly leaves: readonly {
    readonly access: string;
    readonly afterMs: DurationMs;
    readonly withinMs: DurationMs;
  }[];
}

/** Whose CSCFs a run uses; the HSS is always ours. */
export type ImsCoreMakers = Readonly<Record<(typeof cscfs)[number], (typeof coreMakers)[number]>>;

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly architecture: LabArchitecture;
  readonly seed: number;
  readonly durationMs: DurationMs;
  readonly accesses: readonly ScenarioAccess[];
  /** Who shapes them on the kernel (link-shaping.ts). */
  readonly links: (typeof linkShapers)[number];
  readonly proxyCscfs: 'shared' | 'per-access';
  readonly core: ImsCoreMakers;
  readonly authentication: (typeof authentications)[number];
  readonly withReservation: boolean;
  readonly mobileIp: MobileIpSettings;
  readonly policy: ScenarioPolicy;
  readonly flows: readonly ScenarioFlow[];
  /** Of TCP on the kernel, by its name there. */
  readonly congestionControl: string;
  /** In order of time; repeated handovers and ramps are written out. */
  readonly timeline: readonly TimelineStep[];
  readonly expect: ScenarioExpectations;
}

/** Samples beyond the warm-up of the policy, and a dwell time after the first handover, before traffic starts. */
export function policySettlingMs({ policy }: Pick<Scenario, 'policy'>): DurationMs {
  return policy.kind === 'preference' ? 2000 : 4000 + policy.options.dwellMs;
}
