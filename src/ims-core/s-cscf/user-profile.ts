/**
 * S-CSCF (TRIM Fig. 1): the user profile that the HSS sends in User-Data (Cx, TS 29.228 annexes B and E).
 *
 * Strict where a mistake would silently change who sees a call: unknown or repeated elements, missing ones, words where the schema
 * has numbers, equal priorities and broken patterns make the whole document `Malformed`. Elements in a foreign namespace and unknown
 * ones inside Extension are skipped, as the schema allows. Left out: wildcarded identities, shared filter sets, media profiles.
 */
import { isMalformed, Malformed } from '../../base/malformed.ts';
import { parseXmlDocument, type XmlElement } from '../../base/xml-element.ts';
import type {
  ApplicationServer,
  InitialFilterCriterion,
  RegistrationType,
  ServicePoint,
  ServicePointTrigger,
  SessionCase,
  TriggerPoint,
} from './initial-filter-criteria.ts';
import { Pattern } from './pattern.ts';

export interface PublicIdentity {
  readonly identity: string;
  /** A barred identity serves for registration only (TS 23.228 §5.2.1a.1). */
  readonly isBarred: boolean;
}

/** Identities that share one set of services. */
export interface ServiceProfile {
  readonly publicIdentities: readonly PublicIdentity[];
  /** In the order of priority. */
  readonly initialFilterCriteria: readonly InitialFilterCriterion[];
}

/** All identities in it form one implicit registration set. */
export interface UserProfile {
  /** The document that it was read from, one character per octet. */
  readonly document: string;
  readonly privateIdentity: string;
  readonly serviceProfiles: readonly ServiceProfile[];
}

const sessionCases: readonly SessionCase[] = [
  'originating',
  'terminating-registered',
  'terminating-unregistered',
  'originating-unregistered',
];
const registrationTypes: readonly RegistrationType[] = [
  'initial-registration',
  're-registration',
  'de-registration',
];
const flags = [false, true] as const;

/** `userData` has one character per octet. Never throws. */
export function parseUserProfile(userData: string): UserProfile | Malformed {
  const root = parseXmlDocument(userData);
  if (isMalformed(root)) return root;
  try {
    return readSubscription(root, userData);
  } catch (error) {
    if (error instanceof SchemaViolation) return error.malformed;
    throw error;
  }
}

/** Carries the first broken rule out of the nested readers below; never leaves this file. */
class SchemaViolation extends Error {
  readonly malformed: Malformed;

  constructor(element: XmlElement, rule: string) {
    super(rule);
    this.malformed = new Malformed(element.name, element.offset, `TS 29.228 annex E: ${rule}`);
  }
}

function readSubscription(element: XmlElement, document: string): UserProfile {
  if (element.name !== 'IMSSubscription') throw new SchemaViolation(element, 'the root is IMSSubscription');
  const fields = new Fields(element, ['PrivateID', 'ServiceProfile']);
  return {
    document,
    privateIdentity: fields.text('PrivateID'),
    serviceProfiles: fields.many('ServiceProfile').map(readServiceProfile),
  };
}

function readServiceProfile(element: XmlElement): ServiceProfile {
  const fields = new Fields(element, [
    'PublicIdentity',
    'CoreNetworkServicesAuthorization',
    'InitialFilterCriteria',
  ]);
  const criteria = fields.any('InitialFilterCriteria').map(readInitialFilterCriterion);
  criteria.sort((a, b) => a.priority - b.priority);
  if (criteria.some(({ priority }, index) => priority === criteria[index + 1]?.priority)) {
    throw new SchemaViolation(element, 'priorities are unique within a service profile');
  }
  return {
    publicIdentities: fields.many('PublicIdentity').map(readPublicIdentity),
    initialFilterCriteria: criteria,
  };
}

function readPublicIdentity(element: XmlElement): PublicIdentity {
  const fields = new Fields(element, ['BarringIndication', 'Identity']);
  return {
    identity: fields.text('Identity'),
    isBarred: fields.optionalChoice('BarringIndication', flags) ?? false,
  };
}

function readInitialFilterCriterion(element: XmlElement): InitialFilterCriterion {
  const fields = new Fields(element, [
    'Priority',
    'TriggerPoint',
    'ApplicationServer',
    'ProfilePartIndicator',
  ]);
  const triggerPoint = fields.optional('TriggerPoint');
  const profilePart = fields.optionalChoice('ProfilePartIndicator', ['registered', 'unregistered'] as const);
  return {
    priority: readNumber(fields.one('Priority')),
    applicationServer: readApplicationServer(fields.one('ApplicationServer')),
    ...(triggerPoint === undefined ? {} : { triggerPoint: readTriggerPoint(triggerPoint) }),
    ...(profilePart === undefined ? {} : { profilePart }),
  };
}

function readTriggerPoint(element: XmlElement): TriggerPoint {
  const fields = new Fields(element, ['ConditionTypeCNF', 'SPT']);
  return {
    form: readChoice(fields.one('ConditionTypeCNF'), ['disjunctive', 'conjunctive'] as const),
    triggers: fields.many('SPT').map(readTrigger),
  };
}

const servicePointNames = ['RequestURI', 'Method', 'SIPHeader', 'SessionCase', 'SessionDescription'] as const;

function readTrigger(element: XmlElement): ServicePointTrigger {
  const fields = new Fields(element, ['ConditionNegated', 'Group', ...servicePointNames]);
  const points = servicePointNames.flatMap((name) => fields.any(name));
  if (points.length !== 1) throw new SchemaViolation(element, 'exactly one service point in an SPT');
  return {
    negated: fields.optionalChoice('ConditionNegated', flags) ?? false,
    groups: fields.many('Group').map(readNumber),
    servicePoint: readServicePoint(points[0]!, fields.extension()),
  };
}

function readServicePoint(element: XmlElement, extension: readonly XmlElement[]): ServicePoint {
  switch (element.name) {
    case 'RequestURI':
      return { kind: 'request-uri', pattern: readPattern(element) };
    case 'Method': {
      const types = extension.filter(({ name }) => name === 'RegistrationType');
      if (types.length > 2) throw new SchemaViolation(element, 'at most two RegistrationType');
      const method = readText(element);
      return {
        kind: 'method',
        method,
        registrationTypes: types.map((type) => readChoice(type, registrationTypes)),
      };
    }
    case 'SessionCase':
      return { kind: 'session-case', sessionCase: readChoice(element, sessionCases) };
    case 'SIPHeader': {
      const fields = new Fields(element, ['Header', 'Content']);
      return { kind: 'sip-header', header: readPattern(fields.one('Header')), ...readContent(fields) };
    }
    default: {
      const fields = new Fields(element, ['Line', 'Content']);
      return { kind: 'session-description', line: readPattern(fields.one('Line')), ...readContent(fields) };
    }
  }
}

function readContent(fields: Fields): { content?: Pattern } {
  const content = fields.optional('Content');
  return content === undefined ? {} : { content: readPattern(content) };
}

function readApplicationServer(element: XmlElement): ApplicationServer {
  const fields = new Fields(element, ['ServerName', 'DefaultHandling', 'ServiceInfo']);
  const serviceInfo = fields.optional('ServiceInfo');
  const names = fields.extension().map(({ name }) => name);
  return {
    serverName: fields.text('ServerName'),
    defaultHandling:
      fields.optionalChoice('DefaultHandling', ['continue', 'terminate'] as const) ?? 'continue',
    ...(serviceInfo === undefined ? {} : { serviceInformation: serviceInfo.text }),
    includeRegisterRequest: names.includes('IncludeRegisterRequest'),
    includeRegisterResponse: names.includes('IncludeRegisterResponse'),
  };
}

function readText(element: XmlElement): string {
  if (element.text === '' || element.children.length > 0)
    throw new SchemaViolation(element, 'text, not empty');
  return element.text;
}

function readNumber(element: XmlElement): number {
  if (!/^[0-9]{1,9}$/.test(readText(element)))
    throw new SchemaViolation(element, 'a number of at most nine digits');
  return Number(element.text);
}

function readChoice<Value>(element: XmlElement, values: readonly Value[]): Value {
  const value = values[readNumber(element)];
  if (value === undefined) throw new SchemaViolation(element, `a number from 0 to ${values.length - 1}`);
  return value;
}

function readPattern(element: XmlElement): Pattern {
  const pattern = Pattern.parse(readText(element));
  if (isMalformed(pattern)) throw new SchemaViolation(element, `POSIX.1 §9.4: ${pattern.rule}`);
  return pattern;
}

/** The children of one element, refused when the schema does not know their names. */
class Fields {
  readonly #element: XmlElement;

  constructor(element: XmlElement, names: readonly string[]) {
    this.#element = element;
    const stranger = element.children.find(
      ({ name }) => name !== 'Extension' && !name.includes(':') && !names.includes(name),
    );
    if (stranger !== undefined) throw new SchemaViolation(stranger, `unknown inside ${element.name}`);
  }

  any(name: string): XmlElement[] {
    return this.#element.children.filter((child) => child.name === name);
  }

  many(name: string): XmlElement[] {
    const found = this.any(name);
    if (found.length === 0) throw new SchemaViolation(this.#element, `${name} is missing`);
    return found;
  }

  optional(name: string): XmlElement | undefined {
    const found = this.any(name);
    if (found.length > 1) throw new SchemaViolation(found[1]!, `at most one ${name}`);
    return found[0];
  }

  one(name: string): XmlElement {
    this.many(name);
    return this.optional(name)!;
  }

  text(name: string): string {
    return readText(this.one(name));
  }

  optionalChoice<Value>(name: string, values: readonly Value[]): Value | undefined {
    const element = this.optional(name);
    return element === undefined ? undefined : readChoice(element, values);
  }

  extension(): readonly XmlElement[] {
    return this.optional('Extension')?.children ?? [];
  }
}
