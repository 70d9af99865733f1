import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { isMalformed } from '../../base/malformed.ts';
import { TrimaranError } from '../../base/trimaran-error.ts';
import { formatUserProfile } from '../../ims-core/hss/user-profile.ts';
import { parseUserProfile } from '../../ims-core/s-cscf/user-profile.ts';
import { loadConfiguration } from './load-configuration.ts';
import { type SubscriberConfiguration, subscribersSchema, toSubscriber } from './subscribers.ts';

const schema = z.strictObject({ subscribers: subscribersSchema });

test('subscribers: all that a filter criterion can be is written down, and the S-CSCF reads the profile made of it', () => {
  const [configured] = load(`
subscribers:
  - private-identity: bob@ims.test
    public-identities: ["sip:Bob@IMS.test;x=y", { identity: "tel:+34-91-000", barred: true }]
    password: secret
    trim-as: sip:trim-as.ims.test
    unregistered-services: true
    allowed-networks: [visited.test]
    mandatory-capabilities: [1]
    filter-criteria:
      - priority: 7
        server: sip:voicemail.ims.test
        default-handling: terminate
        profile-part: unregistered
        trigger:
          any-of:
            - [{ method: INVITE }, { session-case: terminating-unregistered }, { header: Accept-Contact, content: "voice|audio", not: true }]
            - [{ sdp-line: m, content: "^video" }]
            - [{ request-uri: "^sip:mailbox" }]
      - priority: 9
        server: sip:presence.ims.test
        include-register-request: true
        include-register-response: true
        service-information: "<a>"
        trigger:
          all-of: [[{ method: REGISTER, registration-types: [initial-registration, de-registration] }]]
`);
  const subscriber = toSubscriber(configured!);
  assert.deepEqual(subscriber.publicIdentities, [
    { identity: 'sip:Bob@ims.test', isBarred: false },
    { identity: 'tel:+3491000', isBarred: true },
  ]);
  const profile = parseUserProfile(Buffer.from(formatUserProfile(subscriber)).toString('latin1'));
  assert.ok(!isMalformed(profile), String(profile));
  const criteria = profile.serviceProfiles[0]!.initialFilterCriteria;
  assert.deepEqual(
    criteria.map(({ priority }) => priority),
    [0, 1, 7, 9],
  );
  const [, , voicemail, presence] = criteria;
  assert.equal(voicemail?.profilePart, 'unregistered');
  assert.equal(voicemail.triggerPoint?.form, 'disjunctive');
  assert.deepEqual(
    voicemail.triggerPoint.triggers.map(({ negated, groups, servicePoint }) => [
      negated,
      groups,
      servicePoint.kind,
    ]),
    [
      [false, [0], 'method'],
      [false, [0], 'session-case'],
      [true, [0], 'sip-header'],
      [false, [1], 'session-description'],
      [false, [2], 'request-uri'],
    ],
  );
  assert.equal(presence?.triggerPoint?.form, 'conjunctive');
  assert.deepEqual(presence.applicationServer, {
    serverName: 'sip:presence.ims.test',
    defaultHandling: 'continue',
    serviceInformation: '<a>',
    includeRegisterRequest: true,
    includeRegisterResponse: true,
  });
});

test('subscribers: whatever is wrong with users and profiles is told with its place and what was meant', () => {
  assert.equal(
    refusal(`subscribers:
  - private-identity: bob@ims.test
    public-identities: [bob@ims.test]
    passwort: x
    filter-criteria:
      - priority: 1
        server: as.ims.test
        default-handling: terminated
        trigger: { any-of: [[{ methode: INVITE }]] }
      - priority: 1
        server: sip:as.ims.test
        trigger: { any-of: [[{ header: "To(", method: INVITE }], [{ content: x, method: invite }]] }
`),
    `FILE:3:25: subscribers[0].public-identities[0].identity: "bob@ims.test" is not a SIP or tel URI, such as sip:bob@home1.example or tel:+34910000001
FILE:4:5: subscribers[0].passwort: unknown key (did you mean "password"?)
FILE:7:17: subscribers[0].filter-criteria[0].server: must begin with sip:
FILE:8:27: subscribers[0].filter-criteria[0].default-handling: must be continue or terminate (did you mean "terminate"?)
FILE:9:30: subscribers[0].filter-criteria[0].trigger.any-of[0][0]: needs exactly one of method, request-uri, session-case, header and sdp-line
FILE:9:32: subscribers[0].filter-criteria[0].trigger.any-of[0][0].methode: unknown key (did you mean "method"?)
FILE:12:40: subscribers[0].filter-criteria[1].trigger.any-of[0][0].header: "To(" is not an extended regular expression: a parenthesis is not closed
FILE:12:78: subscribers[0].filter-criteria[1].trigger.any-of[1][0].content: goes with header or sdp-line
FILE:12:89: subscribers[0].filter-criteria[1].trigger.any-of[1][0].method: a method in capitals, such as INVITE`,
  );
});

test('subscribers: names and priorities that stand twice, and criteria of TRIM that are overwritten', () => {
  assert.equal(
    refusal(`subscribers:
  - { private-identity: bob, public-identities: ["sip:b@x", "sip:b@X"], password: x }
  - { private-identity: bob, public-identities: ["sip:c@x"], password: x }
  - private-identity: c
    public-identities: ["sip:d@x"]
    password: x
    trim-as: sip:as
    filter-criteria: [{ priority: 1, server: sip:other }, { priority: 5, server: sip:a }, { priority: 5, server: sip:b }]
`),
    `FILE:2:61: subscribers[0].public-identities[1]: sip:b@x is taken already
FILE:3:25: subscribers[1].private-identity: bob is taken already
FILE:8:35: subscribers[2].filter-criteria[0].priority: 1 is not unique: trim-as takes 0 and 1
FILE:8:103: subscribers[2].filter-criteria[2].priority: 5 is not unique: it stands twice`,
  );
});

function load(text: string): readonly SubscriberConfiguration[] {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-subscribers-'));
  try {
    writeFileSync(join(folder, 'FILE'), text);
    return loadConfiguration(join(folder, 'FILE'), schema).subscribers;
  } catch (error) {
    if (error instanceof TrimaranError) error.message = error.message.replaceAll(`${folder}/`, '');
    throw error;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function refusal(text: string): string {
  try {
    load(text);
  } catch (error) {
    assert.ok(error instanceof TrimaranError && error.code === 'CONFIGURATION_INVALID', String(error));
    return error.message;
  }
  return assert.fail('the configuration was accepted');
}
