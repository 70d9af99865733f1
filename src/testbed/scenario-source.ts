/** How a scenario is written (YAML), what is refused and with which hint, and what it becomes (scenario.ts). */
import { z } from 'zod';
import { type AccessProfile, accessProfiles } from '../access-network/access-profiles.ts';
import type { DurationMs } from '../base/instant.ts';
import { duration } from '../runtime/configuration/configuration-values.ts';
import { linkOverride, overridden, ramp, rate } from './link-load.ts';
import {
  authentications,
  coreMakers,
  type FlowCarrier,
  flowKinds,
  linkShapers,
  type Scenario,
  type ScenarioFlow,
  type TimelineStep,
} from './scenario.ts';

const profileNames = Object.keys(accessProfiles) as (keyof typeof accessProfiles)[];

/** Part of an interface's name on the access router, `ar-…`, which has at most 15 characters. */
const accessName = z
  .string()
  .regex(/^[a-z0-9-]{1,12}$/, 'at most 12 letters, digits and dashes, in lower case');

const profileSource = z.strictObject({
  profile: z.enum(profileNames),
  uplink: linkOverride.optional(),
  downlink: linkOverride.optional(),
});

const accessSource = profileSource.extend({
  starts: z.enum(['up', 'down']).default('up'),
  /** Scores of MIP–SIP equation 6, in place of the profile's. */
  power: z.number().positive().optional(),
  cost: z.number().positive().optional(),
  /** Of the access network, which has the other version nowhere; then the home network has both. */
  ip: z.union([z.literal(4), z.literal(6)]).default(4),
  nat: z.boolean().default(false),
  'strict-source': z.boolean().default(false),
});

const actionNames = ['up', 'down', 'handover', 'change', 'load', 'dead-end'] as const;

const stepSource = z
  .strictObject({
    at: duration,
    up: accessName.optional(),
    down: accessName.optional(),
    handover: z.union([accessName, z.array(accessName).min(1)]).optional(),
    /** With `handover`: so many times, taking the accesses in turn. With `load`: a saw-tooth. */
    repeat: z.number().int().min(1).max(100_000).optional(),
    every: duration.optional(),
    change: accessName.optional(),
    to: profileSource.optional(),
    /** The access becomes, within the time `over`, what others' traffic makes of it; `becomes: {}` is without load. */
    load: accessName.optional(),
    becomes: linkOverride.optional(),
    over: duration.optional(),
    /** The link stays up and carries nothing any more. */
    'dead-end': accessName.optional(),
  })
  .superRefine((step, context) => {
    const actions = actionNames.filter((name) => step[name] !== undefined);
    if (actions.length !== 1)
      context.addIssue('a step has exactly one of up, down, handover, change, load and dead-end');
    if ((step.repeat === undefined) !== (step.every === undefined))
      context.addIssue('repeat and every go together');
    if (step.repeat !== undefined && !['handover', 'load', 'change'].includes(actions[0] ?? ''))
      context.addIssue('only a handover, a load or a change can be repeated');
    if ((step.change === undefined) !== (step.to === undefined))
      context.addIssue('change says which access, to what it becomes');
    if ((step.load === undefined) !== (step.becomes === undefined))
      context.addIssue('load says which access, becomes what it is under load');
    if (step.over !== undefined && step.load === undefined) context.addIssue('only a load takes time');
  });

const flowSource = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,20}$/, 'at most 20 letters, digits and dashes, in lower case'),
  kind: z.enum(flowKinds),
  direction: z.enum(['both', 'to-mobile-node', 'to-correspondent']).optional(),
  rate: rate.optional(),
  /** What moves it, in mip-sip: RTP goes by SIP, TCP by Mobile IP when nothing is said. */
  by: z.enum(['sip', 'mobile-ip']).optional(),
});

const weights = z
  .strictObject({ power: z.number().positive(), cost: z.number().positive(), load: z.number().positive() })
  .refine(
    ({ power, cost, load }) => Math.abs(power + cost + load - 1) < 1e-9,
    'the three weights add up to 1',
  );

/** Defaults as shared/reference/rnl.md proposes them; the paper gives h = 5 and c = 5 as examples and no other number. */
const policySource = z.strictObject({
  'history-window': z.number().min(1).max(64).default(5),
  'jitter-weight': z.number().positive().max(50).default(5),
  weights: weights.default({ power: 0.2, cost: 0.3, load: 0.5 }),
  hysteresis: z.number().min(0).default(0.2),
  'equal-coverage-hysteresis': z.number().min(0).default(0),
  'warm-up': z.number().int().min(1).default(3),
  dwell: duration.default(3000),
  penalty: duration.default(10_000),
});

const countSource = z.union([
  z
    .number()
    .int()
    .min(0)
    .transform((count) => ({ least: count, most: count })),
  z
    .strictObject({ least: z.number().int().min(0), most: z.number().int().min(0) })
    .refine(({ least, most }) => least <= most, 'least is at most most'),
]);

const coreMaker = z.enum(coreMakers).default('trimaran');
/** One maker for all, or one for each. */
const coreSource = z
  .union([
    z.enum(coreMakers).transform((maker) => ({ 'p-cscf': maker, 'i-cscf': maker, 's-cscf': maker })),
    z.strictObject({ 'p-cscf': coreMaker, 'i-cscf': coreMaker, 's-cscf': coreMaker }),
  ])
  .prefault('trimaran');

const scenarioSource = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,40}$/, 'letters, digits and dashes, in lower case'),
  title: z.string(),
  architecture: z.enum(['trim', 'mip-sip']).default('trim'),
  seed: z.number().int().min(0).max(0xffff_ffff).default(1),
  duration,
  accesses: z
    .record(accessName, accessSource)
    .refine((accesses) => inRange(Object.keys(accesses).length, 1, 8), 'one to eight accesses'),
  links: z.enum(linkShapers).default('auto'),
  ims: z
    .strictObject({
      'proxy-cscfs': z.enum(['shared', 'per-access']).default('shared'),
      core: coreSource,
      authentication: z.enum(authentications).default('sip-digest'),
      reservation: z.boolean().default(false),
    })
    .prefault({}),
  'mobile-ip': z
    .strictObject({
      encapsulation: z.enum(['rfc3519', 'plain']).default('rfc3519'),
      probe: duration.default(500),
      'missed-probes': z.number().int().min(1).default(3),
      registration: z.enum(['mobile-node', 'home-agent', 'none']).default('mobile-node'),
      'route-optimisation': z.boolean().default(false),
      'home-delay': duration.default(0),
    })
    .prefault({}),
  prefer: z.array(accessName).min(1).optional(),
  policy: policySource.optional(),
  'congestion-control': z
    .string()
    .regex(/^[a-z0-9_]{1,15}$/, "a name out of the kernel's net.ipv4.tcp_available_congestion_control")
    .default('cubic'),
  flows: z.array(flowSource).min(1).max(16),
  timeline: z.array(stepSource),
  expect: z.strictObject({
    handovers: countSource,
    loss: z.enum(['none', 'allowed']).default('none'),
    visits: z.array(accessName).optional(),
    leaves: z.array(z.strictObject({ access: accessName, after: duration, within: duration })).default([]),
  }),
});

type Source = z.output<typeof scenarioSource>;
type StepSource = z.output<typeof stepSource>;

export const scenarioSchema: z.ZodType<Scenario> = scenarioSource
  .superRefine((source, context) => {
    for (const { path, message } of contradictions(source))
      context.addIssue({ code: 'custom', path, message });
  })
  .transform((source): Scenario => {
    const { name, title, architecture, seed, accesses, links, ims, prefer, flows, timeline, expect } = source;
    const mobileIp = source['mobile-ip'];
    return {
      name,
      title,
      architecture,
      seed,
      durationMs: source.duration,
      accesses: Object.entries(accesses).map(([key, access]) => ({
        name: key,
        profile: profileOf(access),
        family: access.ip,
        nat: access.nat,
        strictSource: access['strict-source'],
        startsUp: access.starts === 'up',
      })),
      links,
      proxyCscfs: ims['proxy-cscfs'],
      core: ims.core,
      authentication: ims.authentication,
      withReservation: ims.reservation,
      mobileIp: {
        encapsulation: mobileIp.encapsulation,
        probeIntervalMs: mobileIp.probe,
        missedProbes: mobileIp['missed-probes'],
        registration: mobileIp.registration,
        routeOptimisation: mobileIp['route-optimisation'],
        homeDelayMs: mobileIp['home-delay'],
      },
      policy: policyOf(source, prefer),
      congestionControl: source['congestion-control'],
      flows: flows.map((flow) => flowOf(flow, architecture)),
      timeline: timeline.flatMap((step) => stepsOf(step, accesses)).sort((a, b) => a.atMs - b.atMs),
      expect: {
        handovers: expect.handovers,
        mayLose: expect.loss === 'allowed',
        visits: expect.visits,
        leaves: expect.leaves.map(({ access, after, within }) => ({
          access,
          afterMs: after,
          withinMs: within,
        })),
      },
    };
  });

interface Contradiction {
  readonly path: (string | number)[];
  readonly message: string;
}

function contradictions(source: Source): Contradiction[] {
  const { flows, timeline, accesses, architecture, prefer, policy } = source;
  const found: Contradiction[] = [];
  const say = (path: (string | number)[], message: string): void => void found.push({ path, message });
  flows.forEach((flow, index) => {
    if (flows.findIndex(({ name }) => name === flow.name) !== index)
      say(['flows', index, 'name'], 'is used twice');
    if (flow.direction === 'both' && flow.kind.startsWith('tcp-') && flow.kind !== 'tcp-interactive')
      say(['flows', index, 'direction'], 'a transfer goes to one side');
    if (flow.by !== undefined && architecture === 'trim')
      say(
        ['flows', index, 'by'],
        'only in the architecture mip-sip; in trim a TRIM session moves every flow',
      );
    if (flow.rate !== undefined && !['tcp-limited', 'rtp-video'].includes(flow.kind))
      say(['flows', index, 'rate'], 'only a limited transfer and a video have a rate of their own');
    if (flow.by === 'sip' && flow.kind.startsWith('tcp-'))
      say(['flows', index, 'by'], 'SIP mobility breaks TCP connections (MIP-SIP §2.2); Mobile IP moves them');
  });
  for (const [name, access] of Object.entries(accesses)) {
    if (access.ip === 4) continue;
    if (architecture === 'mip-sip') say(['accesses', name, 'ip'], 'Mobile IP here is of IPv4 (RFC 5944)');
    for (const key of ['nat', 'strict-source'] as const)
      if (access[key]) say(['accesses', name, key], 'the router of the lab does that for IPv4 alone');
    if (source.ims.core['p-cscf'] === 'kamailio')
      say(
        ['accesses', name, 'ip'],
        "Kamailio's P-CSCF of the lab has IPv4 alone; a p-cscf of trimaran can stand before its others",
      );
  }
  timeline.forEach((step, index) => {
    if (lastInstant(step) >= source.duration) say(['timeline', index, 'at'], 'is after the end');
    for (const name of accessesIn(step))
      if (!(name in accesses)) say(['timeline', index], `there is no access "${name}"`);
  });
  for (const name of prefer ?? []) if (!(name in accesses)) say(['prefer'], `there is no access "${name}"`);
  if (policy !== undefined && prefer !== undefined) say(['prefer'], 'either prefer or policy');
  if (policy !== undefined && architecture === 'trim')
    say(['policy'], 'needs the measurements of Mobile IP: architecture mip-sip');
  return found;
}

function accessesIn(step: StepSource): string[] {
  const { up, down, handover, change, load } = step;
  return [up, down, handover, change, load, step['dead-end']].flatMap((name) => name ?? []);
}

function profileOf(
  source: z.output<typeof profileSource> & { power?: number | undefined; cost?: number | undefined },
): AccessProfile {
  const profile = accessProfiles[source.profile];
  return {
    ...profile,
    power: source.power ?? profile.power,
    cost: source.cost ?? profile.cost,
    uplink: overridden(profile.uplink, source.uplink),
    downlink: overridden(profile.downlink, source.downlink),
  };
}

function policyOf({ policy, accesses }: Source, prefer: readonly string[] | undefined): Scenario['policy'] {
  if (policy === undefined) {
    const costOf = (name: string): number => profileOf(accesses[name]!).cost;
    const cheapestFirst = Object.keys(accesses).toSorted((a, b) => costOf(a) - costOf(b));
    return { kind: 'preference', order: prefer ?? cheapestFirst };
  }
  const { power, cost, load } = policy.weights;
  return {
    kind: 'utility',
    historyWindow: policy['history-window'],
    jitterWeight: policy['jitter-weight'],
    options: {
      powerWeight: power,
      costWeight: cost,
      loadWeight: load,
      hysteresis: policy.hysteresis,
      equalCoverageHysteresis: policy['equal-coverage-hysteresis'],
      warmUpSamples: policy['warm-up'],
      dwellMs: policy.dwell,
      penaltyMs: policy.penalty,
    },
  };
}

/** TRIM fig. 9 offers 500 kbit/s. */
const limitedRate = 500_000;

function flowOf(source: z.output<typeof flowSource>, architecture: Scenario['architecture']): ScenarioFlow {
  const { name, kind, direction, rate: given, by } = source;
  const isTalk = kind === 'rtp-audio' || kind === 'rtp-g723' || kind === 'tcp-interactive';
  const usual = isTalk ? 'both' : 'to-mobile-node';
  const usualCarrier: FlowCarrier = kind.startsWith('rtp-') ? 'sip' : 'mobile-ip';
  return {
    name,
    kind,
    carrier: architecture === 'trim' ? 'trim' : (by ?? usualCarrier),
    direction: direction ?? usual,
    rateBitsPerSecond: kind === 'tcp-limited' ? (given ?? limitedRate) : given,
  };
}

function stepsOf(step: StepSource, accesses: Source['accesses']): TimelineStep[] {
  const { at, up, down, handover, change, to, load, becomes, repeat = 1, every = 0 } = step;
  if (up !== undefined) return [{ atMs: at, action: { kind: 'up', access: up } }];
  if (down !== undefined) return [{ atMs: at, action: { kind: 'down', access: down } }];
  const changeOf = (
    access: string,
    atMs: DurationMs,
    profile: AccessProfile,
    note?: string,
  ): TimelineStep => ({
    atMs,
    action: { kind: 'change', access, profile, note },
  });
  if (change !== undefined && to !== undefined)
    return Array.from({ length: repeat }, (_, count) =>
      changeOf(change, at + count * every, profileOf(to), 'changes its rate and delay'),
    );
  const deadEnd = step['dead-end'];
  const own = accesses[load ?? deadEnd ?? ''];
  if (deadEnd !== undefined && own !== undefined) {
    const nothing = { loss: 1 };
    const profile = profileOf({ ...own, uplink: nothing, downlink: nothing });
    return [changeOf(deadEnd, at, profile, 'leads nowhere any more')];
  }
  if (load !== undefined && own !== undefined && becomes !== undefined)
    return Array.from({ length: repeat }, (_, count) =>
      ramp(profileOf(own), becomes, step.over ?? 0).map(({ afterMs, profile, note }) =>
        changeOf(load, at + count * every + afterMs, profile, note),
      ),
    ).flat();
  const targets = typeof handover === 'string' ? [handover] : (handover ?? []);
  return Array.from({ length: repeat }, (_, count) => ({
    atMs: at + count * every,
    action: { kind: 'handover', access: targets[count % targets.length] ?? '' },
  }));
}

function lastInstant({ at, repeat = 1, every = 0, over = 0 }: StepSource): DurationMs {
  return at + (repeat - 1) * every + over;
}

function inRange(value: number, least: number, most: number): boolean {
  return value >= least && value <= most;
}
