/**
 * A scenario of the lab (TRIM §4.3, fig. 7–9): access networks, flows and what happens when, as one YAML file for both runners (kernel and
 * virtual time). Instants count from the moment when all sessions are up and traffic starts.
 */
import { existsSync, readdirSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type AccessProfile, accessProfiles } from '../access-network/access-profiles.ts';
import type { LinkCharacteristics } from '../access-network/link-characteristics.ts';
import type { DurationMs } from '../base/instant.ts';
import { TrimaranError } from '../base/trimaran-error.ts';
import { duration } from '../runtime/configuration/configuration-values.ts';
import { loadConfiguration } from '../runtime/configuration/load-configuration.ts';
import { nearestName } from '../runtime/configuration/nearest-name.ts';
import type { LabAccess } from './lab-topology.ts';

/** `rtp-audio`: G.711; `rtp-video`: 1.5 Mbit/s of variable rate; `tcp-limited`: TRIM fig. 9; `tcp-interactive`: as ssh. */
const flowKinds = ['rtp-audio', 'rtp-video', 'tcp-limited', 'tcp-unlimited', 'tcp-interactive'] as const;
const accessNames = ['3g', 'wlan'] as const;
const profileNames = Object.keys(accessProfiles) as (keyof typeof accessProfiles)[];

export type FlowKind = (typeof flowKinds)[number];

export interface ScenarioFlow {
  readonly name: string;
  readonly kind: FlowKind;
  /** Where data go; an interactive session always has both directions and is opened by the mobile node. */
  readonly direction: 'both' | 'to-mobile-node' | 'to-correspondent';
  readonly rateBitsPerSecond: number | undefined;
}

export interface TimelineStep {
  readonly atMs: DurationMs;
  readonly action:
    | { readonly kind: 'up' | 'down'; readonly access: LabAccess }
    | { readonly kind: 'handover'; readonly access: LabAccess }
    /** The link takes another profile in place; nobody is told. */
    | { readonly kind: 'change'; readonly access: LabAccess; readonly profile: AccessProfile };
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly seed: number;
  readonly durationMs: DurationMs;
  readonly profiles: Readonly<Record<LabAccess, AccessProfile>>;
  readonly startsUp: Readonly<Record<LabAccess, boolean>>;
  readonly proxyCscfs: 'shared' | 'per-access';
  readonly withReservation: boolean;
  readonly preference: readonly LabAccess[];
  readonly flows: readonly ScenarioFlow[];
  /** In order of time; repeated handovers are written out. */
  readonly timeline: readonly TimelineStep[];
  /** How many times sessions move to another access. */
  readonly expectedHandovers: number;
  /** An access is taken away while it carries datagrams, or loses some by itself. */
  readonly mayLose: boolean;
}

/** "1.5Mbit/s" in bit/s. */
const rate = z
  .string({ error: 'a rate is written with its unit, such as 500kbit/s or 1.5Mbit/s' })
  .transform((text, context) => {
    const [, number, unit] = /^(\d+(?:\.\d+)?) ?(bit|kbit|Mbit|Gbit)\/s$/.exec(text) ?? [];
    const factor = { bit: 1, kbit: 1e3, Mbit: 1e6, Gbit: 1e9 }[unit ?? ''];
    if (factor !== undefined) return Number(number) * factor;
    context.addIssue(`"${text}" is not a rate, such as 500kbit/s or 1.5Mbit/s`);
    return z.NEVER;
  });

const linkOverride = z.strictObject({
  rate: rate.optional(),
  delay: duration.optional(),
  jitter: duration.optional(),
  loss: z.number().min(0).max(1).optional(),
});

const profileSource = z.strictObject({
  profile: z.enum(profileNames),
  uplink: linkOverride.optional(),
  downlink: linkOverride.optional(),
});

const accessSource = profileSource.extend({ starts: z.enum(['up', 'down']).default('up') });

const stepSource = z
  .strictObject({
    at: duration,
    up: z.enum(accessNames).optional(),
    down: z.enum(accessNames).optional(),
    handover: z.union([z.enum(accessNames), z.array(z.enum(accessNames)).min(1)]).optional(),
    /** Only with `handover`: so many times, taking the accesses in turn. */
    repeat: z.number().int().min(1).max(100_000).optional(),
    every: duration.optional(),
    change: z.enum(accessNames).optional(),
    to: profileSource.optional(),
  })
  .superRefine((step, context) => {
    const actions = (['up', 'down', 'handover', 'change'] as const).filter(
      (name) => step[name] !== undefined,
    );
    if (actions.length !== 1) context.addIssue('a step has exactly one of up, down, handover and change');
    if ((step.repeat === undefined) !== (step.every === undefined))
      context.addIssue('repeat and every go together');
    if (step.repeat !== undefined && step.handover === undefined)
      context.addIssue('only a handover can be repeated');
    if ((step.change === undefined) !== (step.to === undefined))
      context.addIssue('change says which access, to what it becomes');
  });

const flowSource = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,20}$/, 'at most 20 letters, digits and dashes, in lower case'),
  kind: z.enum(flowKinds),
  direction: z.enum(['both', 'to-mobile-node', 'to-correspondent']).optional(),
  rate: rate.optional(),
});

const scenarioSource = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9-]{1,40}$/, 'letters, digits and dashes, in lower case'),
    title: z.string(),
    seed: z.number().int().min(0).max(0xffff_ffff).default(1),
    duration,
    accesses: z.strictObject({ '3g': accessSource, wlan: accessSource }),
    ims: z
      .strictObject({
        'proxy-cscfs': z.enum(['shared', 'per-access']).default('shared'),
        reservation: z.boolean().default(false),
      })
      .prefault({}),
    prefer: z.array(z.enum(accessNames)).min(1).default(['wlan', '3g']),
    flows: z.array(flowSource).min(1).max(16),
    timeline: z.array(stepSource),
    expect: z.strictObject({
      handovers: z.number().int().min(0),
      loss: z.enum(['none', 'allowed']).default('none'),
    }),
  })
  .superRefine(({ flows, timeline, duration: end }, context) => {
    flows.forEach((flow, index) => {
      if (flows.findIndex(({ name }) => name === flow.name) !== index)
        context.addIssue({ code: 'custom', path: ['flows', index, 'name'], message: 'is used twice' });
      if (flow.direction === 'both' && flow.kind.startsWith('tcp-') && flow.kind !== 'tcp-interactive')
        context.addIssue({
          code: 'custom',
          path: ['flows', index, 'direction'],
          message: 'a transfer goes to one side',
        });
    });
    timeline.forEach((step, index) => {
      if (lastInstant(step) >= end)
        context.addIssue({ code: 'custom', path: ['timeline', index, 'at'], message: 'is after the end' });
    });
  });

const scenarioSchema: z.ZodType<Scenario> = scenarioSource.transform((source): Scenario => {
  const { name, title, seed, accesses, ims, prefer, flows, timeline } = source;
  return {
    name,
    title,
    seed,
    durationMs: source.duration,
    profiles: { '3g': profileOf(accesses['3g']), wlan: profileOf(accesses.wlan) },
    startsUp: { '3g': accesses['3g'].starts === 'up', wlan: accesses.wlan.starts === 'up' },
    proxyCscfs: ims['proxy-cscfs'],
    withReservation: ims.reservation,
    preference: prefer,
    flows: flows.map(flowOf),
    timeline: timeline.flatMap(stepsOf).sort((a, b) => a.atMs - b.atMs),
    expectedHandovers: source.expect.handovers,
    mayLose: source.expect.loss === 'allowed',
  };
});

/** The scenarios that come with the package; the sources are part of it, beside what was compiled from them. */
const folder = fileURLToPath(new URL('../../../src/testbed/scenarios/', import.meta.url));

export function listScenarios(): { readonly name: string; readonly title: string }[] {
  return scenarioNames().map((name) => {
    const { title } = loadConfiguration(fileOf(name), scenarioSchema);
    return { name, title };
  });
}

/** By name, or from a file of one's own (a path, or anything that ends in .yaml). Throws UNKNOWN_SCENARIO or CONFIGURATION_INVALID. */
export function loadScenario(nameOrFile: string): Scenario {
  const isFile = ['.yaml', '.yml'].includes(extname(nameOrFile)) || nameOrFile.includes('/');
  if (!isFile && !existsSync(fileOf(nameOrFile))) {
    const nearest = nearestName(nameOrFile, scenarioNames());
    const hint = nearest === undefined ? '' : ` (did you mean "${nearest}"?)`;
    throw new TrimaranError('UNKNOWN_SCENARIO', `there is no scenario "${nameOrFile}"${hint}`, {
      remedy: 'List them with "trimaran lab run --list", or give the path of a file of your own.',
    });
  }
  return loadConfiguration(isFile ? nameOrFile : fileOf(nameOrFile), scenarioSchema);
}

function scenarioNames(): string[] {
  return readdirSync(folder)
    .filter((file) => extname(file) === '.yaml')
    .map((file) => basename(file, '.yaml'))
    .sort();
}

function fileOf(name: string): string {
  return `${folder}${name}.yaml`;
}

function profileOf(source: z.output<typeof profileSource>): AccessProfile {
  const profile = accessProfiles[source.profile];
  return {
    ...profile,
    uplink: { ...profile.uplink, ...overrideOf(source.uplink) },
    downlink: { ...profile.downlink, ...overrideOf(source.downlink) },
  };
}

function overrideOf(source: z.output<typeof linkOverride> = {}): Partial<LinkCharacteristics> {
  return {
    ...(source.rate !== undefined && { rateBitsPerSecond: source.rate }),
    ...(source.delay !== undefined && { delayMs: source.delay }),
    ...(source.jitter !== undefined && { jitterMs: source.jitter }),
    ...(source.loss !== undefined && { loss: { kind: 'independent', probability: source.loss } }),
  };
}

/** TRIM fig. 9 offers 500 kbit/s. */
const limitedRate = 500_000;

function flowOf({ name, kind, direction, rate: given }: z.output<typeof flowSource>): ScenarioFlow {
  const usual = kind === 'rtp-audio' || kind === 'tcp-interactive' ? 'both' : 'to-mobile-node';
  return {
    name,
    kind,
    direction: direction ?? usual,
    rateBitsPerSecond: kind === 'tcp-limited' ? (given ?? limitedRate) : undefined,
  };
}

function stepsOf(step: z.output<typeof stepSource>): TimelineStep[] {
  const { at, up, down, handover, change, to } = step;
  if (up !== undefined) return [{ atMs: at, action: { kind: 'up', access: up } }];
  if (down !== undefined) return [{ atMs: at, action: { kind: 'down', access: down } }];
  if (change !== undefined && to !== undefined)
    return [{ atMs: at, action: { kind: 'change', access: change, profile: profileOf(to) } }];
  const targets = typeof handover === 'string' ? [handover] : (handover ?? []);
  return Array.from({ length: step.repeat ?? 1 }, (_, count) => ({
    atMs: at + count * (step.every ?? 0),
    action: { kind: 'handover', access: targets[count % targets.length] ?? '3g' },
  }));
}

function lastInstant({ at, repeat = 1, every = 0 }: z.output<typeof stepSource>): DurationMs {
  return at + (repeat - 1) * every;
}
