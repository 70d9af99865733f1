/**
 * The user profile in XML, as User-Data carries it to the S-CSCF (TS 29.228 annex E; its rules as Kamailio 5.6.3 checks them).
 * The schema fixes the order of elements, and numbers where one would expect words.
 */
import { escapeXml } from '../../base/xml-element.ts';
import type {
  InitialFilterCriterion,
  RegistrationType,
  ServicePointTrigger,
  SessionCase,
  Subscriber,
  SubscriberIdentity,
  TriggerPoint,
} from './subscriber.ts';

const sessionCaseNumbers: Readonly<Record<SessionCase, number>> = {
  originating: 0,
  'terminating-registered': 1,
  'terminating-unregistered': 2,
  'originating-unregistered': 3,
};

const registrationTypeNumbers: Readonly<Record<RegistrationType, number>> = {
  'initial-registration': 0,
  're-registration': 1,
  'de-registration': 2,
};

/** IMSSubscription. */
export function formatUserProfile(subscriber: Subscriber): string {
  const criteria = [...subscriber.initialFilterCriteria].sort((a, b) => a.priority - b.priority);
  const profile = [
    ...subscriber.publicIdentities.map(publicIdentity),
    ...criteria.map(initialFilterCriterion),
  ];
  const subscription = element(
    'IMSSubscription',
    text('PrivateID', subscriber.privateIdentity),
    element('ServiceProfile', ...profile),
  );
  return `<?xml version="1.0" encoding="UTF-8"?>${subscription}`;
}

function publicIdentity({ identity, isBarred }: SubscriberIdentity): string {
  return element('PublicIdentity', flag('BarringIndication', isBarred === true), text('Identity', identity));
}

function initialFilterCriterion(criterion: InitialFilterCriterion): string {
  const { priority, trigger, profilePart } = criterion;
  const { serverName, defaultHandling, serviceInformation, ...wanted } = criterion.applicationServer;
  const extension = [
    ...(wanted.includeRegisterRequest === true ? [element('IncludeRegisterRequest')] : []),
    ...(wanted.includeRegisterResponse === true ? [element('IncludeRegisterResponse')] : []),
  ];
  return element(
    'InitialFilterCriteria',
    text('Priority', priority),
    ...(trigger === undefined ? [] : [triggerPoint(trigger)]),
    element(
      'ApplicationServer',
      text('ServerName', serverName),
      flag('DefaultHandling', defaultHandling === 'terminate'),
      ...(serviceInformation === undefined ? [] : [text('ServiceInfo', serviceInformation)]),
      ...(extension.length === 0 ? [] : [element('Extension', ...extension)]),
    ),
    ...(profilePart === undefined ? [] : [flag('ProfilePartIndicator', profilePart === 'unregistered')]),
  );
}

function triggerPoint({ combination, servicePoints }: TriggerPoint): string {
  return element(
    'TriggerPoint',
    flag('ConditionTypeCNF', combination === 'every-group'),
    ...servicePoints.map(servicePoint),
  );
}

function servicePoint({ groups, isNegated, condition }: ServicePointTrigger): string {
  return element(
    'SPT',
    flag('ConditionNegated', isNegated === true),
    ...groups.map((group) => text('Group', group)),
    conditionElement(condition),
    ...registrationTypes(condition),
  );
}

function registrationTypes(condition: ServicePointTrigger['condition']): string[] {
  const types = 'method' in condition ? (condition.registrationTypes ?? []) : [];
  const numbers = types.map((type) => text('RegistrationType', registrationTypeNumbers[type]));
  return numbers.length === 0 ? [] : [element('Extension', ...numbers)];
}

function conditionElement(condition: ServicePointTrigger['condition']): string {
  if ('method' in condition) return text('Method', condition.method);
  if ('requestUri' in condition) return text('RequestURI', condition.requestUri);
  if ('sessionCase' in condition) return text('SessionCase', sessionCaseNumbers[condition.sessionCase]);
  const content = condition.content === undefined ? [] : [text('Content', condition.content)];
  if ('header' in condition) return element('SIPHeader', text('Header', condition.header), ...content);
  return element('SessionDescription', text('Line', condition.sessionDescriptionLine), ...content);
}

function element(name: string, ...children: string[]): string {
  return children.length === 0 ? `<${name}/>` : `<${name}>${children.join('')}</${name}>`;
}

function flag(name: string, value: boolean): string {
  return text(name, value ? 1 : 0);
}

function text(name: string, value: string | number): string {
  return `<${name}>${escapeXml(String(value))}</${name}>`;
}
