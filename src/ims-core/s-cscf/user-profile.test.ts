import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isMalformed, type Malformed } from '../../base/malformed.ts';
import { nextMatchingCriterion } from './initial-filter-criteria.ts';
import { parseUserProfile, type UserProfile } from './user-profile.ts';

const trigger = '<SPT><ConditionNegated>0</ConditionNegated><Group>0</Group><Method>INVITE</Method></SPT>';
const server = '<ApplicationServer><ServerName>sip:as.home1.net</ServerName></ApplicationServer>';

function subscription(
  criteria: string,
  identities = '<PublicIdentity><Identity>sip:mn@home1.net</Identity></PublicIdentity>',
): string {
  return `<?xml version="1.0"?><IMSSubscription><PrivateID>mn@home1.net</PrivateID><ServiceProfile>${identities}${criteria}</ServiceProfile></IMSSubscription>`;
}

function criterion(trigger: string, applicationServer = server, priority = 0): string {
  return `<InitialFilterCriteria><Priority>${priority}</Priority><TriggerPoint><ConditionTypeCNF>0</ConditionTypeCNF>${trigger}</TriggerPoint>${applicationServer}</InitialFilterCriteria>`;
}

function parse(text: string): UserProfile {
  const profile = parseUserProfile(text);
  assert.ok(!isMalformed(profile), String(profile));
  return profile;
}

function refuse(text: string): Malformed {
  const profile = parseUserProfile(text);
  assert.ok(isMalformed(profile), text);
  return profile;
}

/** A subscriber as Kamailio 5.6.3 takes it, with the extension elements that the schemas allow. */
const trimSubscriber = subscription(
  `${criterion(
    '<SPT><Group>0</Group><Method>INVITE</Method></SPT><SPT><Group>0</Group><SessionCase>0</SessionCase></SPT>' +
      '<SPT><Group>1</Group><Method>INVITE</Method></SPT><SPT><Group>1</Group><SessionCase>1</SessionCase></SPT>',
    '<ApplicationServer><ServerName>sip:trim-as.home1.net</ServerName><DefaultHandling>1</DefaultHandling></ApplicationServer>',
    1,
  )}${criterion(
    '<SPT><Group>0</Group><Method>REGISTER</Method><Extension><RegistrationType>0</RegistrationType></Extension></SPT>',
    '<ApplicationServer><ServerName>sip:trim-as.home1.net</ServerName><DefaultHandling>0</DefaultHandling><ServiceInfo>hello</ServiceInfo>' +
      '<Extension><IncludeRegisterRequest/></Extension></ApplicationServer>',
    0,
  )}`,
  '<PublicIdentity><BarringIndication>1</BarringIndication><Identity>sip:imsi@home1.net</Identity></PublicIdentity>' +
    '<PublicIdentity><Identity>tel:+34910000001</Identity><Extension><IdentityType>0</IdentityType></Extension></PublicIdentity>',
);

test('parseUserProfile reads the TRIM subscriber, criteria in the order of priority', () => {
  const profile = parse(trimSubscriber);
  assert.equal(profile.privateIdentity, 'mn@home1.net');
  const service = profile.serviceProfiles[0]!;
  assert.deepEqual(service.publicIdentities, [
    { identity: 'sip:imsi@home1.net', isBarred: true },
    { identity: 'tel:+34910000001', isBarred: false },
  ]);
  assert.deepEqual(
    service.initialFilterCriteria.map(({ priority }) => priority),
    [0, 1],
  );
  assert.deepEqual(service.initialFilterCriteria[0]!.applicationServer, {
    serverName: 'sip:trim-as.home1.net',
    defaultHandling: 'continue',
    serviceInformation: 'hello',
    includeRegisterRequest: true,
    includeRegisterResponse: false,
  });
  assert.equal(service.initialFilterCriteria[1]!.applicationServer.defaultHandling, 'terminate');
});

test('parseUserProfile gives criteria that sort a terminating INVITE to its application server', () => {
  const criteria = parse(trimSubscriber).serviceProfiles[0]!.initialFilterCriteria;
  const request = { method: 'INVITE', requestUri: 'sip:mn@home1.net', headers: [] };
  assert.equal(
    nextMatchingCriterion(criteria, { ...request, sessionCase: 'terminating-registered' }, -1)?.priority,
    1,
  );
  assert.equal(
    nextMatchingCriterion(criteria, { ...request, sessionCase: 'terminating-unregistered' }, -1),
    undefined,
  );
});

test('parseUserProfile reads every service point', () => {
  const profile = parse(
    subscription(
      criterion(
        '<SPT><Group>0</Group><Group>1</Group><RequestURI>^sip:</RequestURI></SPT>' +
          '<SPT><ConditionNegated>1</ConditionNegated><Group>0</Group><SIPHeader><Header>Event</Header><Content>reg</Content></SIPHeader></SPT>' +
          '<SPT><Group>1</Group><SessionDescription><Line>m</Line></SessionDescription></SPT>' +
          '<SPT><Group>1</Group><SessionCase>3</SessionCase></SPT>',
      ),
    ),
  );
  const triggers = profile.serviceProfiles[0]!.initialFilterCriteria[0]!.triggerPoint!.triggers;
  assert.deepEqual(
    triggers.map(({ negated, groups, servicePoint }) => [negated, groups, servicePoint.kind]),
    [
      [false, [0, 1], 'request-uri'],
      [true, [0], 'sip-header'],
      [false, [1], 'session-description'],
      [false, [1], 'session-case'],
    ],
  );
});

test('parseUserProfile refuses whatever would silently change who sees a call', () => {
  const broken: readonly [text: string, field: string][] = [
    ['<IMSSubscriptions/>', 'IMSSubscriptions'],
    ['<IMSSubscription><PrivateID>a</PrivateID></IMSSubscription>', 'IMSSubscription'],
    [subscription('', ''), 'ServiceProfile'],
    [subscription('<InitialFilterCriterion/>'), 'InitialFilterCriterion'],
    [subscription(criterion(trigger) + criterion(trigger)), 'ServiceProfile'],
    [subscription(criterion('')), 'TriggerPoint'],
    [subscription(criterion('<SPT><Method>INVITE</Method></SPT>')), 'SPT'],
    [subscription(criterion('<SPT><Group>0</Group></SPT>')), 'SPT'],
    [
      subscription(criterion('<SPT><Group>0</Group><Method>A</Method><SessionCase>0</SessionCase></SPT>')),
      'SPT',
    ],
    [subscription(criterion('<SPT><Group>0</Group><SessionCase>4</SessionCase></SPT>')), 'SessionCase'],
    [subscription(criterion('<SPT><Group>zero</Group><SessionCase>0</SessionCase></SPT>')), 'Group'],
    [subscription(criterion('<SPT><Group>0</Group><RequestURI>(</RequestURI></SPT>')), 'RequestURI'],
    [subscription(criterion('<SPT><Group>0</Group><Method/></SPT>')), 'Method'],
    [
      subscription(
        criterion(
          '<SPT><Group>0</Group><Method>REGISTER</Method><Extension><RegistrationType>0</RegistrationType>' +
            '<RegistrationType>1</RegistrationType><RegistrationType>2</RegistrationType></Extension></SPT>',
        ),
      ),
      'Method',
    ],
    [subscription(criterion(trigger, '<ApplicationServer/>')), 'ApplicationServer'],
    [
      subscription(
        criterion(
          trigger,
          '<ApplicationServer><ServerName>sip:as</ServerName><DefaultHandling>SESSION_CONTINUED</DefaultHandling></ApplicationServer>',
        ),
      ),
      'DefaultHandling',
    ],
  ];
  for (const [text, field] of broken) assert.equal(refuse(text).field, field, text);
});

test('parseUserProfile skips foreign namespaces and unknown extensions', () => {
  parse(
    subscription(
      `${criterion(trigger)}<Extension><SharedIFCSetID>7</SharedIFCSetID></Extension><v:own>1</v:own>`,
    ),
  );
});

test('parseUserProfile never throws, whatever is cut out of or written over a profile', () => {
  fc.assert(
    fc.property(
      fc.nat(trimSubscriber.length),
      fc.nat(40),
      fc.string({ maxLength: 12 }),
      (at, length, filling) => {
        parseUserProfile(trimSubscriber.slice(0, at) + filling + trimSubscriber.slice(at + length));
      },
    ),
    { seed: 29228, numRuns: 2_000 },
  );
});
