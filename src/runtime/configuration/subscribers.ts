/**
 * The users of an HSS in a configuration file: identities, what they prove themselves with, and which application servers see their
 * requests (initial filter criteria, 3GPP TS 29.228 annex B). A trigger is written as it is meant:
 *
 *   any-of: [[{ method: INVITE }, { session-case: originating }], [{ method: REGISTER }]]     (disjunctive: a OR of ANDs)
 *   all-of: [[{ method: INVITE }, { method: MESSAGE }], [{ header: Accept, content: sdp, not: true }]]     (conjunctive)
 */
import { z } from 'zod';
import { isMalformed } from '../../base/malformed.ts';
import {
  type InitialFilterCriterion,
  type ServicePointTrigger,
  type Subscriber,
  type TriggerPoint,
  trimFilterCriteria,
} from '../../ims-core/hss/subscriber.ts';
import { Pattern } from '../../ims-core/s-cscf/pattern.ts';
import { parseUri } from '../../protocols/sip/message/sip-uri.ts';
import { addressOfRecord } from '../../protocols/sip/registration/address-of-record.ts';
import {
  credentialKeys,
  credentialRule,
  hasOneCredential,
  subscriberKeyOf,
  type UserCredentials,
} from './user-credentials.ts';

export interface SubscriberConfiguration extends UserCredentials {
  readonly 'private-identity': string;
  /** Canonical SIP and tel URIs, the default one first. */
  readonly 'public-identities': readonly { readonly identity: string; readonly barred: boolean }[];
  /** SIP URI of the TRIM application server that this user's sessions go through; absent: no mobility service. */
  readonly 'trim-as'?: string | undefined;
  readonly 'filter-criteria': readonly FilterCriterionConfiguration[];
  /** Whether calls reach an S-CSCF, and its filter criteria, while the user is not registered. */
  readonly 'unregistered-services': boolean;
  readonly 'allowed-networks'?: readonly string[] | undefined;
  readonly 'mandatory-capabilities': readonly number[];
  readonly 'optional-capabilities': readonly number[];
}

interface FilterCriterionConfiguration {
  readonly priority: number;
  readonly server: string;
  /** One of the two; absent: always. */
  readonly trigger?:
    | { readonly 'any-of'?: Groups | undefined; readonly 'all-of'?: Groups | undefined }
    | undefined;
  readonly 'default-handling': 'continue' | 'terminate';
  readonly 'service-information'?: string | undefined;
  readonly 'include-register-request': boolean;
  readonly 'include-register-response': boolean;
  readonly 'profile-part'?: 'registered' | 'unregistered' | undefined;
}

type Groups = readonly (readonly ConditionConfiguration[])[];

interface ConditionConfiguration {
  readonly method?: string | undefined;
  readonly 'registration-types'?: readonly (typeof registrationTypes)[number][] | undefined;
  readonly 'request-uri'?: string | undefined;
  readonly 'session-case'?: (typeof sessionCases)[number] | undefined;
  readonly header?: string | undefined;
  readonly 'sdp-line'?: string | undefined;
  readonly content?: string | undefined;
  readonly not: boolean;
}

const identityUri = z.string().transform((text, context) => {
  const uri = parseUri(text);
  if (!isMalformed(uri) && uri.kind !== 'opaque' && /^(?:sip|tel):/.test(text)) return addressOfRecord(uri);
  context.addIssue(`"${text}" is not a SIP or tel URI, such as sip:bob@home1.example or tel:+34910000001`);
  return z.NEVER;
});

/** A URI, or `{ identity: URI, barred: true }`. */
const publicIdentity = z.preprocess(
  (value) => (typeof value === 'string' ? { identity: value } : value),
  z.strictObject({ identity: identityUri, barred: z.boolean().default(false) }),
);

const serverUri = z.string().startsWith('sip:', 'must begin with sip:');

/** POSIX extended, as initial filter criteria have them. */
const expression = z.string().superRefine((text, context) => {
  const pattern = Pattern.parse(text);
  if (isMalformed(pattern))
    context.addIssue(`"${text}" is not an extended regular expression: ${pattern.rule}`);
});

const registrationTypes = ['initial-registration', 're-registration', 'de-registration'] as const;
const sessionCases = [
  'originating',
  'terminating-registered',
  'terminating-unregistered',
  'originating-unregistered',
] as const;

const condition = z
  .strictObject({
    method: z
      .string()
      .regex(/^[A-Z]+$/, 'a method in capitals, such as INVITE')
      .optional(),
    'registration-types': z.array(z.enum(registrationTypes)).min(1).max(2).optional(),
    'request-uri': expression.optional(),
    'session-case': z.enum(sessionCases).optional(),
    header: expression.optional(),
    'sdp-line': expression.optional(),
    content: expression.optional(),
    not: z.boolean().default(false),
  })
  .refine(
    (value) => pointNames.filter((name) => value[name] !== undefined).length === 1,
    'needs exactly one of method, request-uri, session-case, header and sdp-line',
  )
  .refine(
    ({ content, header, 'sdp-line': line }) => content === undefined || (header ?? line) !== undefined,
    { path: ['content'], error: 'goes with header or sdp-line' },
  )
  .refine(({ 'registration-types': types, method }) => types === undefined || method === 'REGISTER', {
    path: ['registration-types'],
    error: 'goes with method: REGISTER',
  });
const pointNames = ['method', 'request-uri', 'session-case', 'header', 'sdp-line'] as const;

const groups = z.array(z.array(condition).min(1)).min(1);

const filterCriterion = z.strictObject({
  priority: z.number().int().min(0).max(999_999_999),
  server: serverUri,
  trigger: z
    .strictObject({ 'any-of': groups.optional(), 'all-of': groups.optional() })
    .refine(
      (value) => (value['any-of'] === undefined) !== (value['all-of'] === undefined),
      'needs either any-of or all-of',
    )
    .optional(),
  'default-handling': z.enum(['continue', 'terminate']).default('continue'),
  'service-information': z.string().optional(),
  'include-register-request': z.boolean().default(false),
  'include-register-response': z.boolean().default(false),
  'profile-part': z.enum(['registered', 'unregistered']).optional(),
});

const subscriber = z
  .strictObject({
    'private-identity': z.string().min(1),
    'public-identities': z.array(publicIdentity).min(1),
    ...credentialKeys,
    'trim-as': serverUri.optional(),
    'filter-criteria': z.array(filterCriterion).default([]),
    'unregistered-services': z.boolean().default(false),
    'allowed-networks': z.array(z.string().min(1)).optional(),
    'mandatory-capabilities': z.array(z.number().int().min(0)).default([]),
    'optional-capabilities': z.array(z.number().int().min(0)).default([]),
  })
  .refine(hasOneCredential, credentialRule)
  .superRefine(({ 'filter-criteria': criteria, 'trim-as': trimAs }, context) => {
    const taken = new Set(
      trimAs === undefined ? [] : trimFilterCriteria(trimAs).map(({ priority }) => priority),
    );
    criteria.forEach(({ priority }, index) => {
      if (taken.has(priority)) {
        const cause = trimAs !== undefined && priority < 2 ? 'trim-as takes 0 and 1' : 'it stands twice';
        const path = ['filter-criteria', index, 'priority'];
        context.addIssue({ code: 'custom', path, message: `${priority} is not unique: ${cause}` });
      }
      taken.add(priority);
    });
  });

export const subscribersSchema: z.ZodType<readonly SubscriberConfiguration[]> = z
  .array(subscriber)
  .superRefine((subscribers, context) => {
    const taken = new Set<string>();
    const claim = (name: string, path: (string | number)[]): void => {
      if (taken.has(name)) context.addIssue({ code: 'custom', path, message: `${name} is taken already` });
      taken.add(name);
    };
    subscribers.forEach(({ 'private-identity': name, 'public-identities': identities }, index) => {
      claim(name, [index, 'private-identity']);
      for (const [at, { identity }] of identities.entries())
        claim(identity, [index, 'public-identities', at]);
    });
  });

export function toSubscriber(configured: SubscriberConfiguration): Subscriber {
  const { 'trim-as': trimAs, password, aka, 'allowed-networks': allowedNetworks } = configured;
  const criteria = configured['filter-criteria'].map(toFilterCriterion);
  return {
    privateIdentity: configured['private-identity'],
    publicIdentities: configured['public-identities'].map(({ identity, barred }) => ({
      identity,
      isBarred: barred,
    })),
    credentials: aka === undefined ? { password: password!.reveal() } : subscriberKeyOf(aka),
    initialFilterCriteria: trimAs === undefined ? criteria : [...trimFilterCriteria(trimAs), ...criteria],
    hasUnregisteredServices: configured['unregistered-services'],
    ...(allowedNetworks && { allowedNetworks }),
    mandatoryCapabilities: configured['mandatory-capabilities'],
    optionalCapabilities: configured['optional-capabilities'],
  };
}

function toFilterCriterion(configured: FilterCriterionConfiguration): InitialFilterCriterion {
  const { priority, trigger, 'profile-part': profilePart } = configured;
  const serviceInformation = configured['service-information'];
  return {
    priority,
    ...(trigger && { trigger: toTriggerPoint(trigger) }),
    applicationServer: {
      serverName: configured.server,
      defaultHandling: configured['default-handling'],
      ...(serviceInformation !== undefined && { serviceInformation }),
      includeRegisterRequest: configured['include-register-request'],
      includeRegisterResponse: configured['include-register-response'],
    },
    ...(profilePart && { profilePart }),
  };
}

function toTriggerPoint(trigger: NonNullable<FilterCriterionConfiguration['trigger']>): TriggerPoint {
  const anyOf = trigger['any-of'];
  const groupsOfAll = anyOf ?? trigger['all-of'] ?? [];
  return {
    combination: anyOf === undefined ? 'every-group' : 'any-group',
    servicePoints: groupsOfAll.flatMap((group, index) =>
      group.map((member) => toServicePoint(member, index)),
    ),
  };
}

function toServicePoint(configured: ConditionConfiguration, group: number): ServicePointTrigger {
  return { groups: [group], isNegated: configured.not, condition: toCondition(configured) };
}

function toCondition(configured: ConditionConfiguration): ServicePointTrigger['condition'] {
  const { method, header, content: pattern } = configured;
  const content = pattern === undefined ? {} : { content: pattern };
  const types = configured['registration-types'];
  if (method !== undefined) return { method, ...(types && { registrationTypes: types }) };
  if (header !== undefined) return { header, ...content };
  const { 'request-uri': requestUri, 'session-case': sessionCase } = configured;
  if (requestUri !== undefined) return { requestUri };
  if (sessionCase !== undefined) return { sessionCase };
  return { sessionDescriptionLine: configured['sdp-line']!, ...content };
}
