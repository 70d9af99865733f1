/**
 * S-CSCF (TRIM Fig. 1, Fig. 4 and 6): initial filter criteria, which decide the application servers that see an initial request.
 *
 * Follows TS 29.228 annexes B, E and F: priority, trigger point in conjunctive or disjunctive normal form, groups, negation, and the
 * service points Method (with RegistrationType), RequestURI, SIPHeader, SessionCase and SessionDescription. Patterns search anywhere
 * in a value without regard to case, as real cores do; header names and SDP line types must match as a whole, so that "To" does not
 * stand for "Reply-To". Left out: shared filter sets (Sh-IFC), which carry numbers only a configuration could resolve.
 */
import type { Pattern } from './pattern.ts';

export type SessionCase =
  | 'originating'
  | 'terminating-registered'
  | 'terminating-unregistered'
  | 'originating-unregistered';

export type RegistrationType = 'initial-registration' | 're-registration' | 'de-registration';

export type ServicePoint =
  | { readonly kind: 'request-uri'; readonly pattern: Pattern }
  | {
      readonly kind: 'method';
      readonly method: string;
      readonly registrationTypes: readonly RegistrationType[];
    }
  | { readonly kind: 'session-case'; readonly sessionCase: SessionCase }
  | { readonly kind: 'sip-header'; readonly header: Pattern; readonly content?: Pattern }
  | { readonly kind: 'session-description'; readonly line: Pattern; readonly content?: Pattern };

export interface ServicePointTrigger {
  readonly negated: boolean;
  readonly groups: readonly number[];
  readonly servicePoint: ServicePoint;
}

export interface TriggerPoint {
  /** Conjunctive: every group must hold, a group holds when one of its triggers does. Disjunctive: the reverse. */
  readonly form: 'conjunctive' | 'disjunctive';
  readonly triggers: readonly ServicePointTrigger[];
}

export interface ApplicationServer {
  readonly serverName: string;
  /** What becomes of the request when the server does not answer (TS 24.229 §5.4.3.2). */
  readonly defaultHandling: 'continue' | 'terminate';
  readonly serviceInformation?: string;
  readonly includeRegisterRequest: boolean;
  readonly includeRegisterResponse: boolean;
}

export interface InitialFilterCriterion {
  readonly priority: number;
  readonly triggerPoint?: TriggerPoint;
  readonly applicationServer: ApplicationServer;
  /** Absent: for registered and unregistered users alike. */
  readonly profilePart?: 'registered' | 'unregistered';
}

/** What a trigger point looks at. Header names in any spelling; the body with one character per octet. */
export interface FilteredRequest {
  readonly method: string;
  readonly requestUri: string;
  readonly headers: Iterable<readonly [name: string, value: string]>;
  readonly sessionDescription?: string;
  readonly sessionCase: SessionCase;
  readonly registrationType?: RegistrationType;
}

/** All criteria that a request meets, best priority first. `criteria` are in the order of priority. */
export function matchingCriteria(
  criteria: readonly InitialFilterCriterion[],
  request: FilteredRequest,
): InitialFilterCriterion[] {
  const isUnregistered = request.sessionCase.endsWith('-unregistered');
  return criteria.filter(
    ({ profilePart, triggerPoint }) =>
      (profilePart === undefined || (profilePart === 'unregistered') === isUnregistered) &&
      (triggerPoint === undefined || matchesTriggerPoint(triggerPoint, request)),
  );
}

/** The first criterion after the given priority that a request meets (TS 24.229 §5.4.3.2: evaluation goes on where it stopped). */
export function nextMatchingCriterion(
  criteria: readonly InitialFilterCriterion[],
  request: FilteredRequest,
  afterPriority: number,
): InitialFilterCriterion | undefined {
  return matchingCriteria(
    criteria.filter((criterion) => criterion.priority > afterPriority),
    request,
  )[0];
}

export function matchesTriggerPoint(triggerPoint: TriggerPoint, request: FilteredRequest): boolean {
  const groups = new Map<number, boolean[]>();
  for (const { negated, groups: numbers, servicePoint } of triggerPoint.triggers) {
    const holds = matchesServicePoint(servicePoint, request) !== negated;
    for (const number of numbers) groups.set(number, [...(groups.get(number) ?? []), holds]);
  }
  const results = [...groups.values()];
  return triggerPoint.form === 'conjunctive'
    ? results.every((group) => group.includes(true))
    : results.some((group) => !group.includes(false));
}

function matchesServicePoint(point: ServicePoint, request: FilteredRequest): boolean {
  switch (point.kind) {
    case 'request-uri':
      return point.pattern.isFoundIn(request.requestUri);
    case 'method':
      return point.method === request.method && matchesRegistrationType(point.registrationTypes, request);
    case 'session-case':
      return point.sessionCase === request.sessionCase;
    case 'sip-header':
      return hasField(request.headers, point.header, point.content);
    case 'session-description':
      return hasField(linesOf(request.sessionDescription), point.line, point.content);
  }
}

function matchesRegistrationType(types: readonly RegistrationType[], request: FilteredRequest): boolean {
  if (types.length === 0 || request.method !== 'REGISTER') return true;
  return request.registrationType !== undefined && types.includes(request.registrationType);
}

function hasField(
  fields: Iterable<readonly [name: string, value: string]>,
  name: Pattern,
  content: Pattern | undefined,
): boolean {
  for (const [fieldName, value] of fields) {
    if (name.matchesWhole(fieldName) && (content === undefined || content.isFoundIn(value))) return true;
  }
  return false;
}

function linesOf(description: string | undefined): [string, string][] {
  if (description === undefined) return [];
  return description
    .split(/\r\n|\n/)
    .filter((line) => line[1] === '=')
    .map((line) => [line[0]!, line.slice(2)]);
}
